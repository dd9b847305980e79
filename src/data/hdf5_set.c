/* hdf5_set: a set of one's own, in one HDF5 file (docs/data.md).
 *
 *   train/images   uint8 [N, H, W, C], or [N, H, W] of one channel
 *   train/labels   whole numbers [N], 0 to the number of classes - 1
 *   test/...       likewise
 *   holdout/...    likewise, if there
 *   class_names    strings [classes], if there; else as many classes as the largest label needs
 *
 * Opening looks at shapes and reads all labels; the images that are asked for are read in runs of
 * neighbouring records, and no others. Nothing stays open between calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "class_names.h"
#include "dataset_format.h"
#include "hdf5_read.h"
#include "lockstep/placement.h"

enum { RUN_BYTES = 4 << 20, LABELS_AT_ONCE = 65536 };

static const char *const images_of[DATASET_PARTS] = {"train/images", "test/images",
                                                     "holdout/images"};
static const char *const labels_of[DATASET_PARTS] = {"train/labels", "test/labels",
                                                     "holdout/labels"};

/* The two arrays of a part. */
typedef struct Part {
    Array images, labels;
    Shape image; /* of each */
} Part;

static void part_close(Part *part) {
    array_close(&part->images);
    array_close(&part->labels);
}

static Status check_images(const Array *images, Shape *image) {
    const int64_t *dim = images->dim;
    if (images->element != 1 || images->sign)
        return FAIL(ST_DATA, "%s holds %s of %zu bytes, not uint8: bytes of 0 to 255", images->name,
                    images->sign ? "signed numbers" : "numbers", images->element);
    if (images->ndim < 3)
        return FAIL(ST_DATA, "%s has %d dimensions, not N, H, W, C", images->name, images->ndim);
    *image = (Shape){1, images->ndim == 3 ? 1 : dim[3], dim[1], dim[2]};
    if (image->c > IMAGE_CHANNELS_MAX || image->h < IMAGE_SIDE_MIN || image->h > IMAGE_SIDE_MAX ||
        image->w < IMAGE_SIDE_MIN || image->w > IMAGE_SIDE_MAX)
        return FAIL(ST_DATA,
                    "%s has images of %" PRId64 " x %" PRId64 " pixels in %" PRId64
                    " channels: %d x %d to %d x %d in at most %d are read (the order is N, H, W, "
                    "C)",
                    images->name, image->h, image->w, image->c, IMAGE_SIDE_MIN, IMAGE_SIDE_MIN,
                    IMAGE_SIDE_MAX, IMAGE_SIDE_MAX, IMAGE_CHANNELS_MAX);
    return ST_OK;
}

/* For part_close, also after a failure. */
static Status part_open(hid_t file, DatasetPart which, Part *part) {
    *part = (Part){.images.id = -1, .labels.id = -1};
    TRY(array_open(file, images_of[which], &part->images));
    TRY(check_images(&part->images, &part->image));
    TRY(array_open(file, labels_of[which], &part->labels));
    if (part->labels.ndim != 1 || part->labels.dim[0] != part->images.dim[0])
        return FAIL(ST_DATA, "%s is no list of %" PRId64 " labels, one for each of %s",
                    labels_of[which], part->images.dim[0], images_of[which]);
    return ST_OK;
}

static Status label_error(const Array *labels, int64_t record, int64_t label, int64_t classes) {
    return FAIL(ST_DATA, "%s: record %" PRId64 " has label %" PRId64 ", not one of 0 to %" PRId64,
                labels->name, record, label, classes - 1);
}

/* Reads labels [first, first + n), which are below `classes`, into label[n]. */
static Status read_labels(const Array *labels, int64_t first, int64_t n, int64_t classes,
                          int64_t *label) {
    TRY(array_read(labels, first, n, H5T_NATIVE_INT64, label));
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0 || label[i] >= classes)
            return label_error(labels, first + i, label[i], classes);
    }
    return ST_OK;
}

/* What the labels of a part come to. */
typedef struct Labels {
    int64_t classes; /* above all of them */
    int64_t changes; /* labels that are not those of the record before */
} Labels;

/* Counts all labels, none of which is `most` or more. */
static Status count_labels(const Array *labels, int64_t most, Labels *counted) {
    Status status = ST_OK;
    int64_t total = labels->dim[0], last = -1;
    *counted = (Labels){0};
    int64_t *label = malloc(LABELS_AT_ONCE * sizeof *label);
    TRY_ALLOC(label);
    for (int64_t first = 0; first < total; first += LABELS_AT_ONCE) {
        int64_t n = total - first < LABELS_AT_ONCE ? total - first : LABELS_AT_ONCE;
        TRY_DONE(read_labels(labels, first, n, most, label));
        for (int64_t i = 0; i < n; i++) {
            if (label[i] >= counted->classes)
                counted->classes = label[i] + 1;
            counted->changes += label[i] != last;
            last = label[i];
        }
    }
done:
    free(label);
    return status;
}

/* One part: its shape is that of the first, and its labels are below `most`. */
static Status look_at(hid_t file, DatasetPart which, int64_t most, Dataset *dataset) {
    Part part;
    Labels labels;
    Status status = part_open(file, which, &part);
    Shape *image = &dataset->image;
    if (status == ST_OK && which == DATASET_PART_TRAIN)
        *image = part.image;
    if (status == ST_OK &&
        (part.image.c != image->c || part.image.h != image->h || part.image.w != image->w))
        status = FAIL(ST_DATA,
                      "%s has images of another shape than train/images: %" PRId64 " x %" PRId64
                      " x %" PRId64 ", not %" PRId64 " x %" PRId64 " x %" PRId64,
                      images_of[which], part.image.h, part.image.w, part.image.c, image->h,
                      image->w, image->c);
    if (status == ST_OK)
        status = count_labels(&part.labels, most, &labels);
    if (status == ST_OK) {
        int64_t count = dataset->count[which] = part.images.dim[0];
        if (labels.classes > dataset->classes)
            dataset->classes = labels.classes;
        if (which == DATASET_PART_TRAIN)
            dataset->by_class = count >= 20 * labels.classes && labels.classes > 1 &&
                                labels.changes < 2 * labels.classes;
    }
    part_close(&part);
    return status;
}

static Status look(hid_t file, Dataset *dataset) {
    Status status = ST_OK;
    char *names = NULL;
    int64_t named = CLASSES_MAX;
    if (hdf5_read_has(file, "class_names"))
        TRY(hdf5_read_lines(file, "class_names", CLASSES_MAX, &names, &named));
    for (int which = 0; which < DATASET_PARTS; which++) {
        if (which != DATASET_PART_HOLDOUT || hdf5_read_has(file, "holdout"))
            TRY_DONE(look_at(file, (DatasetPart)which, named, dataset));
    }
    if (names)
        dataset->classes = named;
    TRY_DONE(class_names_set(dataset, names));
done:
    free(names);
    return status;
}

/* The file's name without its ending, in characters that need no care anywhere. Not one that says
 * something else. */
static void name_after(const char *path, char name[DATASET_NAME_MAX]) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    snprintf(name, DATASET_NAME_MAX, "%.*s", dot && dot > base ? (int)(dot - base) : 60, base);
    if (strcmp(name, "cifar10") == 0 || strcmp(name, "cifar10-like") == 0 ||
        strcmp(name, "synthetic") == 0)
        snprintf(name, DATASET_NAME_MAX, "%.60s", base);
    for (char *c = name; *c; c++) {
        if (!strchr(plain, *c))
            *c = '_';
    }
}

Status hdf5_set_open(const char *path, Dataset *dataset) {
    hid_t file = -1;
    strcpy(dataset->path, path);
    name_after(path, dataset->name);
    dataset->format = &hdf5_format;
    Status status = hdf5_read_open(path, &file);
    if (status == ST_OK)
        status = look(file, dataset);
    if (file >= 0)
        H5Fclose(file);
    if (status != ST_OK)
        status_prefix("data file %s (what one holds: docs/data.md)", path);
    return status;
}

/* ---- Reading ---- */

/* Images [n][H][W][C] as planes [n][C][H][W]. */
static void planes(Shape image, int64_t n, const uint8_t *from, uint8_t *to) {
    int64_t pixels = image.h * image.w;
    for (int64_t i = 0; i < n; i++, from += pixels * image.c, to += pixels * image.c) {
        for (int64_t c = 0; c < image.c; c++) {
            for (int64_t p = 0; p < pixels; p++)
                to[c * pixels + p] = from[p * image.c + c];
        }
    }
}

/* How many of ids[0..n) follow one another, up to `most`. */
static int64_t run_length(const int64_t *ids, int64_t n, int64_t most) {
    int64_t length = 1;
    while (length < n && length < most && ids[length] == ids[0] + length)
        length++;
    return length;
}

static Status read_runs(const Dataset *dataset, const Part *part, const int64_t *ids, int64_t n,
                        uint16_t *labels, uint8_t *pixels, int64_t *bytes) {
    Status status = ST_OK;
    int64_t size = shape_count(dataset->image), most = RUN_BYTES / size;
    uint8_t *images = malloc((size_t)(most * size));
    int64_t *label = malloc((size_t)most * sizeof *label);
    if (!images || !label)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    for (int64_t at = 0, run; at < n; at += run) {
        run = run_length(ids + at, n - at, most);
        TRY_DONE(array_read(&part->images, ids[at], run, H5T_NATIVE_UINT8, images));
        TRY_DONE(read_labels(&part->labels, ids[at], run, dataset->classes, label));
        planes(dataset->image, run, images, pixels + at * size);
        for (int64_t i = 0; i < run; i++)
            labels[at + i] = (uint16_t)label[i];
        if (bytes)
            *bytes += run * (size + (int64_t)part->labels.element);
    }
done:
    free(label);
    free(images);
    return status;
}

static Status read_records(const Dataset *dataset, DatasetPart which, const int64_t *ids, int64_t n,
                           uint16_t *labels, uint8_t *pixels, int64_t *bytes) {
    hid_t file = -1;
    Part part = {.images.id = -1, .labels.id = -1};
    Shape image = dataset->image;
    Status status = hdf5_read_open(dataset->path, &file);
    if (status == ST_OK)
        status = part_open(file, which, &part);
    if (status == ST_OK &&
        (part.images.dim[0] != dataset->count[which] || part.image.c != image.c ||
         part.image.h != image.h || part.image.w != image.w))
        status = FAIL(ST_DATA, "%s was changed while it is in use", images_of[which]);
    if (status == ST_OK)
        status = read_runs(dataset, &part, ids, n, labels, pixels, bytes);
    part_close(&part);
    if (file >= 0)
        H5Fclose(file);
    if (status != ST_OK)
        status_prefix("data file %s", dataset->path);
    return status;
}

const DatasetFormat hdf5_format = {1, images_of, read_records};
