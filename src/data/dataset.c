/* dataset: what all kinds of sets have in common, and which kind a name means. See dataset.h. */
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
#include "lockstep/placement.h"
#include "synthetic.h"

static Status read_synthetic(const Dataset *dataset, DatasetPart part, const int64_t *ids,
                             int64_t n, uint16_t *labels, uint8_t *pixels, int64_t *bytes) {
    (void)bytes; /* none */
    for (int64_t i = 0; i < n; i++)
        synthetic_record(dataset->seed, part, ids[i], labels + i, pixels + i * CIFAR10_PIXELS);
    return ST_OK;
}

static const char *const synthetic_files[] = {"train", "test"};
static const DatasetFormat synthetic_format = {1, synthetic_files, read_synthetic};

enum { PATH_SPARE = 32 }; /* for the names of files in a folder */

static bool holds(const char *folder, const char *name) {
    char path[4096 + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static Status open_named(const char *data, Dataset *dataset) {
    struct stat info;
    if (data[0] == '\0')
        return FAIL(ST_DATA, "the data folder's name is empty: name one with --data DIR");
    if (strlen(data) >= sizeof dataset->path - PATH_SPARE)
        return FAIL(ST_DATA, "the name of the data folder is too long: name another with --data");
    if (stat(data, &info) != 0)
        return FAIL(ST_DATA,
                    "data folder %s: %s; fetch the images with scripts/get-cifar10.sh %s, or use "
                    "--data synthetic",
                    data, strerror(errno), data);
    if (S_ISDIR(info.st_mode))
        return holds(data, "train.bin") && !holds(data, "data_batch_1.bin")
                   ? cifar100_open(data, dataset)
                   : cifar10_open(data, dataset);
    *dataset = (Dataset){.seed = dataset->seed};
    return hdf5_set_open(data, dataset);
}

Status dataset_open(const char *data, uint64_t seed, Dataset *dataset) {
    dataset_cifar10(dataset);
    dataset->seed = seed;
    if (strcmp(data, "synthetic") != 0)
        return open_named(data, dataset);
    dataset->synthetic = true;
    dataset->format = &synthetic_format;
    strcpy(dataset->name, "synthetic");
    return ST_OK;
}

Status dataset_known(const char *name, Shape image, int64_t classes, const char *names,
                     Dataset *dataset) {
    *dataset = (Dataset){.synthetic = strcmp(name, "synthetic") == 0,
                         .image = {1, image.c, image.h, image.w},
                         .classes = classes};
    if (strlen(name) >= sizeof dataset->name)
        return FAIL(ST_DATA, "the set's name %.20s... is too long", name);
    strcpy(dataset->name, name);
    if (image.c < 1 || image.c > IMAGE_CHANNELS_MAX || image.h < IMAGE_SIDE_MIN ||
        image.h > IMAGE_SIDE_MAX || image.w < IMAGE_SIDE_MIN || image.w > IMAGE_SIDE_MAX)
        return FAIL(ST_DATA,
                    "images of %" PRId64 " x %" PRId64 " pixels in %" PRId64
                    " channels: a set has %d x %d to %d x %d, and at most %d channels",
                    image.h, image.w, image.c, IMAGE_SIDE_MIN, IMAGE_SIDE_MIN, IMAGE_SIDE_MAX,
                    IMAGE_SIDE_MAX, IMAGE_CHANNELS_MAX);
    if (classes < 1 || classes > CLASSES_MAX)
        return FAIL(ST_DATA, "%" PRId64 " classes: a set has 1 to %d", classes, CLASSES_MAX);
    return class_names_set(dataset, names);
}

void dataset_free(Dataset *dataset) {
    free(dataset->names_memory);
    *dataset = (Dataset){0};
}

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
        uint64_t device[DATASET_FILES_MAX + 1], inode[DATASET_FILES_MAX + 1];
    } all;
    struct stat info;
    memset(&all, 0, sizeof all);
    *files = 0;
    if (dataset->synthetic)
        return ST_OK;
    boot_id(all.boot);
    bool one = dataset_reads_hdf5(dataset);
    for (int i = 0; i < (one ? 1 : dataset->format->train_files + 1); i++) {
        char path[sizeof dataset->path + PATH_SPARE];
        snprintf(path, sizeof path, "%s%s%s", dataset->path, one ? "" : "/",
                 one ? "" : dataset->format->files[i]);
        if (stat(path, &info) != 0)
            return FAIL(ST_DATA, "%s: %s", path, strerror(errno));
        all.device[i] = (uint64_t)info.st_dev;
        all.inode[i] = (uint64_t)info.st_ino;
    }
    *files = hash_bytes(&all, sizeof all);
    return ST_OK;
}

bool dataset_reads_hdf5(const Dataset *dataset) {
    return dataset->format == &hdf5_format;
}

int dataset_file_count(const Dataset *dataset) {
    return dataset->format->train_files;
}

const char *dataset_file_name(const Dataset *dataset, int i) {
    return dataset->format->files[i];
}

const char *dataset_name(const Dataset *dataset) {
    return dataset->name;
}

bool dataset_is_alike(const Dataset *a, const Dataset *b) {
    bool alike = a->image.c == b->image.c && a->image.h == b->image.h && a->image.w == b->image.w &&
                 a->classes == b->classes;
    for (int64_t i = 0; alike && i < a->classes; i++)
        alike = strcmp(a->class_names[i], b->class_names[i]) == 0;
    return alike;
}

Status dataset_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                    uint16_t *labels, uint8_t *pixels, int64_t *bytes) {
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= dataset->count[part] || (i > 0 && ids[i] <= ids[i - 1]))
            return FAIL(ST_INTERNAL, "record %" PRId64 " is out of range or out of order", ids[i]);
    }
    return n > 0 ? dataset->format->read(dataset, part, ids, n, labels, pixels, bytes) : ST_OK;
}
