/* The CIFAR-10 reader, the hold-out split and shards, on small files written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/data/cifar10_format.h"
#include "lockstep/dataset.h"
#include "lockstep/hash.h"

enum { PER_FILE = 7, TESTS = 5 };

static char folder[64];

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Byte `at` of record `record` of file `file` (6: the test file): different everywhere. */
static uint8_t pixel_of(int file, int record, int at) {
    return (uint8_t)(file * 131 + record * 31 + at * 7 + at / 256);
}

static void write_records(const char *name, int file, int records) {
    FILE *out = fopen(path_of(name), "wb");
    assert_non_null(out);
    for (int i = 0; i < records; i++) {
        fputc((file + i) % 10, out);
        for (int at = 0; at < CIFAR10_PIXELS; at++)
            fputc(pixel_of(file, i, at), out);
    }
    assert_int_equal(fclose(out), 0);
}

static void write_all(int per_file, int tests) {
    char name[32];
    for (int file = 1; file <= 5; file++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", file);
        write_records(name, file, per_file);
    }
    write_records("test_batch.bin", 6, tests);
}

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/lockstep-dataset-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    write_all(PER_FILE, TESTS);
    status_clear();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char name[32];
    for (int file = 1; file <= 5; file++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", file);
        unlink(path_of(name));
    }
    unlink(path_of("test_batch.bin"));
    return rmdir(folder);
}

static void assert_message(const char *part) {
    if (!strstr(status_message(), part))
        fail_msg("\"%s\" does not say \"%s\"", status_message(), part);
}

static void assert_open_fails(const char *first, const char *second) {
    Dataset dataset;
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_DATA);
    assert_message(first);
    assert_message(second);
    status_clear();
}

static void test_opens_small_set(void **state) {
    (void)state;
    Dataset dataset;
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(dataset.count[DATASET_PART_TRAIN], 5 * PER_FILE);
    assert_int_equal(dataset.count[DATASET_PART_TEST], TESTS);
    assert_string_equal(dataset_name(&dataset), "cifar10-like");
    assert_false(dataset.synthetic);
}

/* Neighbours, gaps, file borders and both ends, counted to the byte. */
static void test_reads_what_is_asked(void **state) {
    (void)state;
    static const int64_t ids[] = {0, 1, 2, 5, 6, 7, 8, 20, 21, 33, 34};
    enum { N = sizeof ids / sizeof ids[0] };
    static uint16_t labels[N];
    static uint8_t pixels[N][CIFAR10_PIXELS];
    int64_t bytes = 100;
    Dataset dataset;
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, ids, N, labels, pixels[0], &bytes),
                     ST_OK);
    assert_int_equal(bytes, 100 + N * CIFAR10_RECORD);
    for (int i = 0; i < N; i++) {
        int file = 1 + (int)ids[i] / PER_FILE, record = (int)ids[i] % PER_FILE;
        assert_int_equal(labels[i], (file + record) % 10);
        for (int at = 0; at < CIFAR10_PIXELS; at++)
            assert_int_equal(pixels[i][at], pixel_of(file, record, at));
    }
    int64_t last = TESTS - 1;
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TEST, &last, 1, labels, pixels[0], NULL),
                     ST_OK);
    assert_int_equal(labels[0], (6 + last) % 10);
    assert_int_equal(pixels[0][77], pixel_of(6, (int)last, 77));
}

/* Runs longer than one pread. */
static void test_reads_long_runs(void **state) {
    (void)state;
    enum { N = 1500, FILE_RECORDS = 300 };
    Dataset dataset;
    int64_t *ids = malloc(N * sizeof *ids);
    uint16_t *labels = malloc(N * sizeof *labels);
    uint8_t *pixels = malloc((size_t)N * CIFAR10_PIXELS);
    write_all(FILE_RECORDS, TESTS);
    for (int i = 0; i < N; i++)
        ids[i] = i;
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, ids, N, labels, pixels, NULL),
                     ST_OK);
    for (int i = 0; i < N; i++) {
        int file = 1 + i / FILE_RECORDS, record = i % FILE_RECORDS;
        assert_int_equal(labels[i], (file + record) % 10);
        assert_int_equal(pixels[i * CIFAR10_PIXELS + 3071], pixel_of(file, record, 3071));
    }
    free(pixels);
    free(labels);
    free(ids);
}

static void test_missing(void **state) {
    (void)state;
    Dataset dataset;
    unlink(path_of("data_batch_4.bin"));
    assert_open_fails("data_batch_4.bin", "scripts/get-cifar10.sh");
    assert_open_fails(folder, "--data synthetic");
    assert_int_equal(dataset_open("/nonexistent/images", 1, &dataset), ST_DATA);
    assert_message("/nonexistent/images");
    assert_message("--data synthetic");
    status_clear();
    assert_int_equal(dataset_open(path_of("test_batch.bin"), 1, &dataset), ST_DATA);
    assert_message("is no HDF5 file");
}

static void test_no_folder_named(void **state) {
    (void)state;
    static char name[8192];
    Dataset dataset;
    assert_int_equal(dataset_open("", 1, &dataset), ST_DATA);
    assert_message("empty");
    status_clear();
    memset(name, 'a', sizeof name - 1);
    assert_int_equal(dataset_open(name, 1, &dataset), ST_DATA);
    assert_message("too long");
}

static void test_short(void **state) {
    (void)state;
    assert_int_equal(truncate(path_of("data_batch_2.bin"), PER_FILE * CIFAR10_RECORD - 1), 0);
    assert_open_fails("data_batch_2.bin", "no file of whole records (21510 bytes");
    assert_int_equal(truncate(path_of("data_batch_2.bin"), 0), 0);
    assert_open_fails("data_batch_2.bin", "0 bytes");
    assert_int_equal(truncate(path_of("data_batch_2.bin"), (PER_FILE - 1) * CIFAR10_RECORD), 0);
    assert_open_fails("data_batch_2.bin", "6 records where the other files have 7");
}

/* The first file short, or the test file beside official training files. */
static void test_unequal(void **state) {
    (void)state;
    char name[32];
    assert_int_equal(truncate(path_of("data_batch_1.bin"), CIFAR10_RECORD), 0);
    assert_open_fails("data_batch_1.bin", "1 records where the other files have 7");
    for (int file = 1; file <= 5; file++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", file);
        assert_int_equal(truncate(path_of(name), 10000 * CIFAR10_RECORD), 0);
    }
    assert_open_fails("test_batch.bin", "5 records where the other files have 10000");
}

static void test_bad_label(void **state) {
    (void)state;
    Dataset dataset;
    static uint16_t labels[3];
    static uint8_t pixels[3][CIFAR10_PIXELS];
    int64_t ids[] = {2 * PER_FILE + 2, 2 * PER_FILE + 3, 2 * PER_FILE + 4};
    FILE *file = fopen(path_of("data_batch_3.bin"), "r+b");
    assert_non_null(file);
    fseek(file, 3 * CIFAR10_RECORD, SEEK_SET);
    fputc(10, file);
    fclose(file);
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, ids, 3, labels, pixels[0], NULL),
                     ST_DATA);
    assert_message("data_batch_3.bin: record 3 has label 10");
    status_clear();
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, ids, 1, labels, pixels[0], NULL),
                     ST_OK);
}

/* A file that shrinks or goes after it was opened. */
static void test_shrinks(void **state) {
    (void)state;
    Dataset dataset;
    static uint16_t labels[3];
    static uint8_t pixels[3][CIFAR10_PIXELS];
    int64_t ids[] = {PER_FILE + 3, PER_FILE + 4, PER_FILE + 5};
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(truncate(path_of("data_batch_2.bin"), 4 * CIFAR10_RECORD + 5), 0);
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, ids, 3, labels, pixels[0], NULL),
                     ST_DATA);
    assert_message("data_batch_2.bin: record 4 cannot be read");
    status_clear();
    unlink(path_of("data_batch_2.bin"));
    assert_int_equal(dataset_read(&dataset, DATASET_PART_TRAIN, ids, 3, labels, pixels[0], NULL),
                     ST_DATA);
    assert_message("data_batch_2.bin");
}

static void test_bad_ids(void **state) {
    (void)state;
    static const int64_t lists[][2] = {{-1, 3}, {3, 5 * PER_FILE}, {4, 4}, {4, 3}};
    Dataset dataset;
    static uint16_t labels[2];
    static uint8_t pixels[2][CIFAR10_PIXELS];
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            dataset_read(&dataset, DATASET_PART_TRAIN, lists[i], 2, labels, pixels[0], NULL),
            ST_INTERNAL);
        status_clear();
    }
}

/* Together all records once, each list ascending; other seeds hold other records out. */
static void test_split(void **state) {
    (void)state;
    enum { TOTAL = 100, HOLD = 30 };
    int64_t *train, *held, *train2, *held2;
    assert_int_equal(split_ids(&(Split){0, HOLD}, TOTAL, 5, &train, &held), ST_OK);
    int seen[TOTAL] = {0};
    for (int i = 0; i < TOTAL - HOLD; i++) {
        assert_in_range(train[i], i ? train[i - 1] + 1 : 0, TOTAL - 1);
        seen[train[i]]++;
    }
    for (int i = 0; i < HOLD; i++) {
        assert_in_range(held[i], i ? held[i - 1] + 1 : 0, TOTAL - 1);
        seen[held[i]]++;
    }
    for (int i = 0; i < TOTAL; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(split_ids(&(Split){0, HOLD}, TOTAL, 6, &train2, &held2), ST_OK);
    assert_memory_not_equal(held, held2, HOLD * sizeof *held);
    /* Of the records that tests/oracle/draws.py, a program of its own, holds out. */
    assert_true(hash_bytes(held, HOLD * sizeof *held) == UINT64_C(0x03675237f3ab3bfa));
    free(train);
    free(held);
    free(train2);
    free(held2);
}

static void test_split_bounds(void **state) {
    (void)state;
    static const Split refused[] = {{0, 10}, {0, -1}, {-1, 0}, {11, 0}, {8, 3}};
    int64_t *train, *held, count;
    assert_int_equal(split_ids(&(Split){0, 0}, 10, 5, &train, &held), ST_OK);
    assert_non_null(held);
    for (int i = 0; i < 10; i++)
        assert_int_equal(train[i], i);
    free(train);
    free(held);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(split_ids(&refused[i], 10, 5, &train, &held), ST_USAGE);
        assert_null(train);
        status_clear();
        assert_int_equal(split_train_count(&refused[i], 10, &count), ST_USAGE);
        status_clear();
    }
}

/* The first records, then the held out ones, then nothing. */
static void test_split_in_order(void **state) {
    (void)state;
    int64_t *train, *held, count;
    Split split = {.records = 40, .holdout = 5};
    assert_int_equal(split_train_count(&split, 50, &count), ST_OK);
    assert_int_equal(count, 40);
    assert_int_equal(split_ids(&split, 50, 5, &train, &held), ST_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(train[i], i);
    for (int i = 0; i < 5; i++)
        assert_int_equal(held[i], 40 + i);
    free(train);
    free(held);
}

static void test_shard(void **state) {
    (void)state;
    static const int64_t ids[] = {1, 2, 4, 9, 11, 12, 30};
    Dataset dataset;
    Shard shard, same, other;
    int64_t bytes = 0;
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(shard_read(&dataset, DATASET_PART_TRAIN, ids, 2, 4, &shard, &bytes), ST_OK);
    assert_int_equal(bytes, 4 * CIFAR10_RECORD);
    assert_int_equal(shard.first, 2);
    assert_int_equal(shard.count, 4);
    assert_memory_equal(shard.ids, ids + 2, 4 * sizeof *ids);
    assert_int_equal(shard.labels[1], (2 + 2) % 10);
    assert_int_equal(shard.pixels[CIFAR10_PIXELS + 9], pixel_of(2, 2, 9));
    assert_int_equal(shard_read(&dataset, DATASET_PART_TRAIN, ids, 2, 4, &same, NULL), ST_OK);
    assert_true(shard.hash == same.hash);
    FILE *file = fopen(path_of("data_batch_2.bin"), "r+b"); /* one pixel of record 9 */
    assert_non_null(file);
    fseek(file, 2 * CIFAR10_RECORD + 1000, SEEK_SET);
    fputc(pixel_of(2, 2, 999) ^ 1, file);
    fclose(file);
    assert_int_equal(shard_read(&dataset, DATASET_PART_TRAIN, ids, 2, 4, &other, NULL), ST_OK);
    assert_true(shard.hash != other.hash);
    shard_free(&shard);
    shard_free(&shard); /* a zeroed shard */
    shard_free(&same);
    shard_free(&other);
    unlink(path_of("data_batch_2.bin"));
    assert_int_equal(shard_read(&dataset, DATASET_PART_TRAIN, ids, 2, 4, &other, NULL), ST_DATA);
    assert_null(other.pixels);
}

/* The same files under another name are the same, equal ones are not. */
static void test_files(void **state) {
    (void)state;
    static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                        "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    Dataset dataset, linked;
    uint64_t files, same, other, none = 1;
    char link_name[96], target[128];
    assert_int_equal(dataset_open(folder, 1, &dataset), ST_OK);
    assert_int_equal(dataset_files(&dataset, &files), ST_OK);
    snprintf(link_name, sizeof link_name, "%s-link", folder);
    assert_int_equal(symlink(folder, link_name), 0);
    assert_int_equal(dataset_open(link_name, 1, &linked), ST_OK);
    assert_int_equal(dataset_files(&linked, &same), ST_OK);
    unlink(link_name);
    assert_true(files == same);
    for (int i = 0; i < 6; i++) {
        snprintf(target, sizeof target, "%s", path_of("spare"));
        assert_int_equal(rename(path_of(names[i]), target), 0);
        if (i < 5)
            write_records(names[i], i + 1, PER_FILE);
        else
            write_records(names[i], 6, TESTS);
        assert_int_equal(dataset_files(&dataset, &other), ST_OK);
        assert_true(files != other);
        assert_int_equal(rename(target, path_of(names[i])), 0);
        assert_int_equal(dataset_files(&dataset, &other), ST_OK);
        assert_true(files == other);
    }
    unlink(path_of("data_batch_4.bin"));
    assert_int_equal(dataset_files(&dataset, &other), ST_DATA);
    assert_message("data_batch_4.bin");
    status_clear();
    assert_int_equal(dataset_open("synthetic", 1, &dataset), ST_OK);
    assert_int_equal(dataset_files(&dataset, &none), ST_OK);
    assert_true(none == 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_opens_small_set), CASE(test_reads_what_is_asked),
        CASE(test_reads_long_runs), CASE(test_missing),
        CASE(test_no_folder_named), CASE(test_short),
        CASE(test_unequal),         CASE(test_bad_label),
        CASE(test_shrinks),         CASE(test_bad_ids),
        CASE(test_split),           CASE(test_split_bounds),
        CASE(test_split_in_order),  CASE(test_shard),
        CASE(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
