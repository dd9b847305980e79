/* Procedural records: pinned, balanced, different. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../src/data/cifar10_format.h"
#include "lockstep/dataset.h"
#include "lockstep/hash.h"

enum { N = 200 };

static uint16_t labels[N];
static uint8_t pixels[N][CIFAR10_PIXELS];

static void read_records(uint64_t seed, DatasetPart part, int64_t first) {
    Dataset dataset;
    int64_t ids[N], bytes = 0;
    for (int i = 0; i < N; i++)
        ids[i] = first + i;
    assert_int_equal(dataset_open("synthetic", seed, &dataset), ST_OK);
    assert_int_equal(dataset_read(&dataset, part, ids, N, labels, pixels[0], &bytes), ST_OK);
    assert_int_equal(bytes, 0); /* nothing was read from anywhere */
}

static void test_labelled(void **state) {
    (void)state;
    Dataset dataset;
    assert_int_equal(dataset_open("synthetic", 1, &dataset), ST_OK);
    assert_true(dataset.synthetic);
    assert_string_equal(dataset_name(&dataset), "synthetic");
    assert_int_equal(dataset.count[DATASET_PART_TRAIN], 50000);
    assert_int_equal(dataset.count[DATASET_PART_TEST], 10000);
}

/* Each class once in ten records, not always in the same order. */
static void test_balanced(void **state) {
    (void)state;
    int others = 0;
    read_records(1, DATASET_PART_TRAIN, 0);
    for (int i = 0; i < N; i += 10) {
        int seen = 0;
        for (int j = 0; j < 10; j++)
            seen |= 1 << labels[i + j];
        assert_int_equal(seen, 1023);
        others += memcmp(labels, labels + i, 10 * sizeof *labels) != 0;
    }
    assert_true(others > N / 10 - 3);
}

/* A record does not depend on those read with it; parts, seeds and numbers make others. */
static void test_pure(void **state) {
    (void)state;
    static uint8_t keep[N][CIFAR10_PIXELS];
    static uint16_t keep_labels[N];
    read_records(1, DATASET_PART_TRAIN, 0);
    memcpy(keep, pixels, sizeof keep);
    memcpy(keep_labels, labels, sizeof labels);
    read_records(1, DATASET_PART_TRAIN, 10);
    assert_memory_equal(keep[10], pixels[0], CIFAR10_PIXELS);
    assert_memory_not_equal(keep[0], keep[1], CIFAR10_PIXELS);
    read_records(1, DATASET_PART_TEST, 0);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            assert_memory_not_equal(keep[i], pixels[j], CIFAR10_PIXELS);
    assert_memory_not_equal(keep_labels, labels, sizeof labels);
    read_records(2, DATASET_PART_TRAIN, 0);
    assert_memory_not_equal(keep_labels, labels, sizeof labels);
    assert_memory_not_equal(keep[0], pixels[0], CIFAR10_PIXELS);
}

/* Neither black, nor white, nor one colour: bytes spread over the range. */
static void test_spread(void **state) {
    (void)state;
    read_records(1, DATASET_PART_TRAIN, 0);
    int64_t count[4] = {0}, total = (int64_t)N * CIFAR10_PIXELS;
    for (int64_t i = 0; i < total; i++)
        count[pixels[i / CIFAR10_PIXELS][i % CIFAR10_PIXELS] / 64]++;
    for (int i = 0; i < 4; i++)
        assert_true(count[i] > total / 20);
}

static void test_pinned(void **state) {
    (void)state;
    read_records(1, DATASET_PART_TRAIN, 0);
    assert_true(hash_bytes(pixels, sizeof pixels) == UINT64_C(0x8468bc2e7d83e877));
    uint8_t bytes[N];
    for (int i = 0; i < N; i++)
        bytes[i] = (uint8_t)labels[i];
    assert_true(hash_bytes(bytes, sizeof bytes) == UINT64_C(0x2f406575475f2848));
    read_records(1, DATASET_PART_TEST, 9800);
    assert_true(hash_bytes(pixels, sizeof pixels) == UINT64_C(0x447d409525eadb94));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labelled), cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_pure),     cmocka_unit_test(test_spread),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
