/* cifar10: reads the official binary version of CIFAR-10, and small sets in the same format.
 *
 * Opening looks at names and sizes alone (six stat calls, cheap enough for every rank); labels are
 * checked as they are read. Nothing stays open and nothing is cached between calls: a rank reads
 * its shards once and keeps them in memory. Ids ascend, so that each stretch of neighbouring
 * records is one pread, and no byte of a record that was not asked for is read.
 *
 * Invariant: the five training files have one size, so record i is record i % n of file i / n. */
#include "lockstep/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cifar10_format.h"
#include "synthetic.h"

enum {
    TRAIN_FILES = 5,
    FILES = 6,
    TEST_FILE = 5,          /* its index in file_names */
    OFFICIAL_COUNT = 10000, /* records of an official file */
    RUN_RECORDS = 256       /* most records of one pread */
};

static const char *const file_names[FILES] = {"data_batch_1.bin", "data_batch_2.bin",
                                              "data_batch_3.bin", "data_batch_4.bin",
                                              "data_batch_5.bin", "test_batch.bin"};

static const char *const class_names[CIFAR10_CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

const char *dataset_name(const Dataset *dataset) {
    return dataset->synthetic ? "synthetic" : "cifar10";
}

/* ---- opening ---- */

void dataset_cifar10(Dataset *dataset) {
    *dataset = (Dataset){.count = {CIFAR10_TRAIN, CIFAR10_TEST},
                         .image = {1, CIFAR10_CHANNELS, CIFAR10_SIDE, CIFAR10_SIDE},
                         .classes = CIFAR10_CLASSES,
                         .class_names = class_names};
}

static Status open_folder(const char *folder, Dataset *dataset) {
    struct stat info;
    size_t length = strlen(folder);
    if (length == 0 || length >= sizeof dataset->folder - 32)
        return FAIL(ST_DATA,
                    "the data folder's name is empty or too long: name one with --data DIR");
    if (stat(folder, &info) != 0)
        return FAIL(ST_DATA,
                    "data folder %s: %s; fetch the images with scripts/get-cifar10.sh %s, or use "
                    "--data synthetic",
                    folder, strerror(errno), folder);
    if (!S_ISDIR(info.st_mode))
        return FAIL(ST_DATA, "data folder %s is not a folder: --data names the one that holds %s",
                    folder, file_names[0]);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    memcpy(dataset->folder, folder, length);
    dataset->folder[length] = '\0';
    return ST_OK;
}

static void file_path(const Dataset *dataset, int file, char *path, size_t size) {
    snprintf(path, size, "%s/%s", dataset->folder, file_names[file]);
}

static Status check_present(const Dataset *dataset, int file, int64_t *records) {
    char path[sizeof dataset->folder + 32];
    struct stat info;
    file_path(dataset, file, path, sizeof path);
    if (stat(path, &info) != 0)
        return FAIL(ST_DATA,
                    "data folder %s lacks the images: %s: %s; fetch them with "
                    "scripts/get-cifar10.sh %s, or use --data synthetic",
                    dataset->folder, file_names[file], strerror(errno), dataset->folder);
    if (!S_ISREG(info.st_mode) || info.st_size == 0 || info.st_size % CIFAR10_RECORD != 0)
        return FAIL(
            ST_DATA,
            "%s is no file of whole records (%" PRId64
            " bytes, a record has %d): it is damaged; remove it and run scripts/get-cifar10.sh %s",
            path, (int64_t)info.st_size, CIFAR10_RECORD, dataset->folder);
    *records = info.st_size / CIFAR10_RECORD;
    return ST_OK;
}

/* A file cut off between two records is whole by itself; beside the others it is short. */
static Status check_equal(const Dataset *dataset, const int64_t records[FILES]) {
    int64_t most = 0;
    for (int file = 0; file < TRAIN_FILES; file++)
        most = records[file] > most ? records[file] : most;
    int last = most == OFFICIAL_COUNT ? FILES : TRAIN_FILES;
    for (int file = 0; file < last; file++) {
        if (records[file] != most)
            return FAIL(ST_DATA,
                        "%s/%s has %" PRId64 " records where the other files have %" PRId64
                        ": it is damaged; remove it and run scripts/get-cifar10.sh %s",
                        dataset->folder, file_names[file], records[file], most, dataset->folder);
    }
    return ST_OK;
}

Status dataset_open(const char *data, uint64_t seed, Dataset *dataset) {
    int64_t records[FILES];
    dataset_cifar10(dataset);
    dataset->seed = seed;
    dataset->synthetic = strcmp(data, "synthetic") == 0;
    if (dataset->synthetic)
        return ST_OK;
    TRY(open_folder(data, dataset));
    for (int file = 0; file < FILES; file++)
        TRY(check_present(dataset, file, &records[file]));
    TRY(check_equal(dataset, records));
    dataset->count[DATASET_PART_TRAIN] = TRAIN_FILES * records[0];
    dataset->count[DATASET_PART_TEST] = records[TEST_FILE];
    return ST_OK;
}

/* ---- identity ---- */

/* Device and inode numbers are those of one running kernel: 36 characters name it, none where it
 * does not say. */
static void boot_id(char id[40]) {
    memset(id, 0, 40);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (read(fd, id, 36) != 36)
        memset(id, 0, 40);
    close(fd);
}

Status dataset_files(const Dataset *dataset, uint64_t *files) {
    struct {
        char boot[40];
        uint64_t device[FILES], inode[FILES];
    } all;
    char path[sizeof dataset->folder + 32];
    struct stat info;
    *files = 0;
    if (dataset->synthetic)
        return ST_OK;
    boot_id(all.boot);
    for (int file = 0; file < FILES; file++) {
        file_path(dataset, file, path, sizeof path);
        if (stat(path, &info) != 0)
            return FAIL(ST_DATA, "%s: %s", path, strerror(errno));
        all.device[file] = (uint64_t)info.st_dev;
        all.inode[file] = (uint64_t)info.st_ino;
    }
    *files = hash_bytes(&all, sizeof all);
    return ST_OK;
}

/* ---- reading ---- */

/* The file that is open while a list of ids is read. */
typedef struct Reader {
    const Dataset *dataset;
    int file; /* index in file_names, -1: none */
    int fd;
    char path[4096 + 32];
    uint8_t *buffer; /* [RUN_RECORDS][CIFAR10_RECORD] */
} Reader;

static Status reader_open(Reader *reader, int file) {
    if (reader->file == file)
        return ST_OK;
    if (reader->fd >= 0)
        close(reader->fd);
    file_path(reader->dataset, file, reader->path, sizeof reader->path);
    reader->file = file;
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        return FAIL(ST_DATA, "%s: %s", reader->path, strerror(errno));
    return ST_OK;
}

/* Records first..first+n) of the open file into the buffer. */
static Status reader_fill(Reader *reader, int64_t first, int64_t n) {
    size_t want = (size_t)n * CIFAR10_RECORD, got = 0;
    off_t start = (off_t)first * CIFAR10_RECORD;
    while (got < want) {
        ssize_t part = pread(reader->fd, reader->buffer + got, want - got, start + (off_t)got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return FAIL(ST_DATA, "%s: record %" PRId64 " cannot be read: %s", reader->path,
                        first + (int64_t)(got / CIFAR10_RECORD),
                        part < 0 ? strerror(errno) : "the file ends before it");
        got += (size_t)part;
    }
    return ST_OK;
}

static Status reader_split(const Reader *reader, int64_t first, int64_t n, uint16_t *labels,
                           uint8_t *pixels) {
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *record = reader->buffer + i * CIFAR10_RECORD;
        if (record[0] >= CIFAR10_CLASSES)
            return FAIL(ST_DATA,
                        "%s: record %" PRId64 " has label %d, beyond %d: the file is damaged; "
                        "remove it and run scripts/get-cifar10.sh %s",
                        reader->path, first + i, record[0], CIFAR10_CLASSES - 1,
                        reader->dataset->folder);
        labels[i] = record[0];
        memcpy(pixels + i * CIFAR10_PIXELS, record + 1, CIFAR10_PIXELS);
    }
    return ST_OK;
}

/* How many of ids[0..n) follow one another within one file and fit into the buffer. */
static int64_t run_length(const int64_t *ids, int64_t n, int64_t per_file) {
    int64_t length = 1;
    while (length < n && length < RUN_RECORDS && ids[length] == ids[0] + length &&
           ids[length] % per_file != 0)
        length++;
    return length;
}

static Status read_files(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                         uint16_t *labels, uint8_t *pixels, int64_t *bytes) {
    Status status = ST_OK;
    bool train = part == DATASET_PART_TRAIN;
    int64_t per_file = dataset->count[part] / (train ? TRAIN_FILES : 1);
    Reader reader = {.dataset = dataset, .file = -1, .fd = -1};
    reader.buffer = malloc((size_t)RUN_RECORDS * CIFAR10_RECORD);
    TRY_ALLOC(reader.buffer);
    for (int64_t at = 0; at < n;) {
        int64_t run = run_length(ids + at, n - at, per_file);
        int64_t first = ids[at] % per_file;
        TRY_DONE(reader_open(&reader, train ? (int)(ids[at] / per_file) : TEST_FILE));
        TRY_DONE(reader_fill(&reader, first, run));
        TRY_DONE(reader_split(&reader, first, run, labels + at, pixels + at * CIFAR10_PIXELS));
        if (bytes)
            *bytes += run * CIFAR10_RECORD;
        at += run;
    }
done:
    if (reader.fd >= 0)
        close(reader.fd);
    free(reader.buffer);
    return status;
}

Status dataset_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                    uint16_t *labels, uint8_t *pixels, int64_t *bytes) {
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= dataset->count[part] || (i > 0 && ids[i] <= ids[i - 1]))
            return FAIL(ST_INTERNAL, "record %" PRId64 " is out of range or out of order", ids[i]);
    }
    if (!dataset->synthetic)
        return read_files(dataset, part, ids, n, labels, pixels, bytes);
    for (int64_t i = 0; i < n; i++)
        synthetic_record(dataset->seed, part, ids[i], labels + i, pixels + i * CIFAR10_PIXELS);
    return ST_OK;
}
