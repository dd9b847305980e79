/* cifar10: reads the official binary versions of CIFAR-10 and CIFAR-100, and small sets in the same
 * formats.
 *
 * Opening looks at names and sizes alone (six stat calls, cheap enough for every rank); labels are
 * checked as they are read. Nothing stays open and nothing is cached between calls: a rank reads
 * its shards once and keeps them in memory. Ids ascend, so that each stretch of neighbouring
 * records is one pread, and no byte of a record that was not asked for is read.
 *
 * Invariant: the training files have one size, so record i is record i % n of file i / n. */
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
#include "class_names.h"
#include "dataset_format.h"
#include "folder_help.h"
#include "lockstep/file.h"

enum {
    TRAIN_FILES = 5,
    FILES = 6,
    FINE_CLASSES = 100,
    COARSE_CLASSES = 20,
    OFFICIAL_COUNT = 10000, /* records of an official file */
    RUN_RECORDS = 256       /* most records of one pread */
};

/* How a record begins: its labels, a byte each, one of which is read. */
typedef struct CifarFormat {
    DatasetFormat base; /* first: a dataset's format is a CifarFormat's */
    int labels, label;
} CifarFormat;

static const char *const file_names[FILES] = {"data_batch_1.bin", "data_batch_2.bin",
                                              "data_batch_3.bin", "data_batch_4.bin",
                                              "data_batch_5.bin", "test_batch.bin"};

static const char *const file_names_100[] = {"train.bin", "test.bin"};

static Status read_files(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                         uint16_t *labels, uint8_t *pixels, int64_t *bytes);

_Static_assert(TRAIN_FILES <= (int)DATASET_FILES_MAX, "a set has room for its files");
static const CifarFormat one_label = {{TRAIN_FILES, file_names, read_files}, 1, 0};
static const CifarFormat fine_label = {{1, file_names_100, read_files}, 2, 1};
static const CifarFormat coarse_label = {{1, file_names_100, read_files}, 2, 0};

static const char *const class_names[CIFAR10_CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

/* Published: of all pixels of the training set. */
static const float published_mean[CIFAR10_CHANNELS] = {0.4914f, 0.4822f, 0.4465f};
static const float published_std[CIFAR10_CHANNELS] = {0.247f, 0.2435f, 0.2616f};

/* ---- opening ---- */

void dataset_cifar10(Dataset *dataset) {
    *dataset = (Dataset){.name = "cifar10",
                         .count = {CIFAR10_TRAIN, CIFAR10_TEST},
                         .image = {1, CIFAR10_CHANNELS, CIFAR10_SIDE, CIFAR10_SIDE},
                         .classes = CIFAR10_CLASSES,
                         .class_names = class_names,
                         .mean = published_mean,
                         .std = published_std};
}

/* The name without the slashes at its end; it has room. */
static void name_folder(const char *folder, Dataset *dataset) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    memcpy(dataset->path, folder, length);
    dataset->path[length] = '\0';
}

static const CifarFormat *format_of(const Dataset *dataset) {
    return (const CifarFormat *)dataset->format;
}

/* Bytes of a record. */
static int64_t record_bytes(const Dataset *dataset) {
    return format_of(dataset)->labels + CIFAR10_PIXELS;
}

static void file_path(const Dataset *dataset, int file, char *path, size_t size) {
    snprintf(path, size, "%s/%s", dataset->path, dataset->format->files[file]);
}

static const char *remedy(const Dataset *dataset) {
    return dataset->format == &one_label.base ? "run scripts/get-cifar10.sh"
                                              : "unpack CIFAR-100's archive again in";
}

static Status check_present(const Dataset *dataset, int file, int64_t *records) {
    char path[sizeof dataset->path + 32];
    struct stat info;
    file_path(dataset, file, path, sizeof path);
    if (stat(path, &info) != 0) {
        int error = errno;
        TRY(file == 0 ? folder_help(dataset->path) : ST_OK);
        return FAIL(ST_DATA,
                    "data folder %s lacks the images: %s: %s; fetch them with "
                    "scripts/get-cifar10.sh %s, or use --data synthetic",
                    dataset->path, dataset->format->files[file], strerror(error), dataset->path);
    }
    int64_t record = record_bytes(dataset);
    if (!S_ISREG(info.st_mode) || info.st_size == 0 || info.st_size % record != 0)
        return FAIL(ST_DATA,
                    "%s is no file of whole records (%" PRId64 " bytes, a record has %" PRId64
                    "): it is damaged; remove it and %s %s",
                    path, (int64_t)info.st_size, record, remedy(dataset), dataset->path);
    *records = info.st_size / record;
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
                        dataset->path, file_names[file], records[file], most, dataset->path);
    }
    return ST_OK;
}

Status cifar10_open(const char *folder, Dataset *dataset) {
    int64_t records[FILES];
    name_folder(folder, dataset);
    strcpy(dataset->name, "cifar10-like");
    dataset->format = &one_label.base;
    for (int file = 0; file < FILES; file++)
        TRY(check_present(dataset, file, &records[file]));
    TRY(check_equal(dataset, records));
    dataset->count[DATASET_PART_TRAIN] = TRAIN_FILES * records[0];
    dataset->count[DATASET_PART_TEST] = records[TRAIN_FILES];
    return ST_OK;
}

/* The names of `classes` classes that stand in a file of the folder, a line each; numbers where
 * there is none. */
static Status read_names(const char *file, int64_t classes, Dataset *dataset) {
    char path[sizeof dataset->path + 32], text[FINE_CLASSES * CLASS_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", dataset->path, file);
    dataset->classes = classes;
    FILE *in = file_open_stream(path);
    if (!in && errno != ENOENT)
        return FAIL(ST_DATA, "%s: %s", path, file_cause(errno));
    size_t size = in ? fread(text, 1, sizeof text - 1, in) : 0;
    bool failed = in && ferror(in);
    int error = errno;
    if (in)
        fclose(in);
    if (failed)
        return FAIL(ST_DATA, "%s: cannot be read: %s", path, strerror(error));
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    text[size] = '\0';
    Status status = class_names_set(dataset, size > 0 ? text : NULL);
    if (status != ST_OK)
        status_prefix("%s", path);
    return status;
}

Status cifar100_open(const char *folder, Dataset *dataset) {
    int64_t records[2];
    name_folder(folder, dataset);
    strcpy(dataset->name, "cifar100-like");
    dataset->mean = dataset->std = NULL;
    dataset->format = &fine_label.base;
    for (int file = 0; file < 2; file++)
        TRY(check_present(dataset, file, &records[file]));
    dataset->count[DATASET_PART_TRAIN] = records[0];
    dataset->count[DATASET_PART_TEST] = records[1];
    return read_names("fine_label_names.txt", FINE_CLASSES, dataset);
}

Status dataset_coarse(Dataset *dataset) {
    if (dataset->format != &fine_label.base)
        return FAIL(ST_USAGE, "labels coarse: %s has one kind of labels; leave labels out",
                    dataset->synthetic ? "synthetic" : dataset->path);
    free(dataset->names_memory);
    dataset->names_memory = NULL;
    dataset->format = &coarse_label.base;
    return read_names("coarse_label_names.txt", COARSE_CLASSES, dataset);
}

/* ---- reading ---- */

/* The file that is open while a list of ids is read. */
typedef struct Reader {
    const Dataset *dataset;
    int file; /* index in the format's files, -1: none */
    int fd;
    char path[4096 + 32];
    int64_t record;  /* bytes of one */
    uint8_t *buffer; /* [RUN_RECORDS][record] */
} Reader;

static Status reader_open(Reader *reader, int file) {
    if (reader->file == file)
        return ST_OK;
    if (reader->fd >= 0)
        close(reader->fd);
    file_path(reader->dataset, file, reader->path, sizeof reader->path);
    reader->file = file;
    reader->fd = file_open(reader->path, O_RDONLY);
    if (reader->fd < 0)
        return FAIL(ST_DATA, "%s: %s", reader->path, file_cause(errno));
    return ST_OK;
}

/* Records first..first+n) of the open file into the buffer. */
static Status reader_fill(Reader *reader, int64_t first, int64_t n) {
    size_t want = (size_t)(n * reader->record), got = 0;
    off_t start = (off_t)(first * reader->record);
    while (got < want) {
        ssize_t part = pread(reader->fd, reader->buffer + got, want - got, start + (off_t)got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return FAIL(ST_DATA, "%s: record %" PRId64 " cannot be read: %s", reader->path,
                        first + (int64_t)got / reader->record,
                        part < 0 ? strerror(errno) : "the file ends before it");
        got += (size_t)part;
    }
    return ST_OK;
}

static Status reader_split(const Reader *reader, int64_t first, int64_t n, uint16_t *labels,
                           uint8_t *pixels) {
    const Dataset *dataset = reader->dataset;
    const CifarFormat *format = format_of(dataset);
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *record = reader->buffer + i * reader->record;
        if (record[format->label] >= dataset->classes)
            return FAIL(ST_DATA,
                        "%s: record %" PRId64 " has label %d, beyond %" PRId64
                        ": the file is damaged; remove it and %s %s",
                        reader->path, first + i, record[format->label], dataset->classes - 1,
                        remedy(dataset), dataset->path);
        labels[i] = record[format->label];
        memcpy(pixels + i * CIFAR10_PIXELS, record + format->labels, CIFAR10_PIXELS);
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
    int files = dataset->format->train_files;
    int64_t per_file = dataset->count[part] / (train ? files : 1);
    Reader reader = {.dataset = dataset, .file = -1, .fd = -1, .record = record_bytes(dataset)};
    reader.buffer = malloc((size_t)(RUN_RECORDS * reader.record));
    TRY_ALLOC(reader.buffer);
    for (int64_t at = 0; at < n;) {
        int64_t run = run_length(ids + at, n - at, per_file);
        int64_t first = ids[at] % per_file;
        TRY_DONE(reader_open(&reader, train ? (int)(ids[at] / per_file) : files));
        TRY_DONE(reader_fill(&reader, first, run));
        TRY_DONE(reader_split(&reader, first, run, labels + at, pixels + at * CIFAR10_PIXELS));
        if (bytes)
            *bytes += run * reader.record;
        at += run;
    }
done:
    if (reader.fd >= 0)
        close(reader.fd);
    free(reader.buffer);
    return status;
}
