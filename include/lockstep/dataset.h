/* dataset: the records that a run learns from and is tested on. Local.
 *
 * A record is a label and the pixels of one image, C x H x W bytes: planes, each row by row. How
 * large images are, how many classes there are and what they are called is the data set's to say;
 * nothing outside src/data has a constant for any of it. There are CIFAR-10's official binary
 * files, and CIFAR-100's, in CIFAR-10's format procedural images, and HDF5 files of one's own
 * (docs/data.md). Records
 * of a part are numbered in the order of its files, or of its array; the number is a record's
 * identity in shuffling and augmentation. */
#ifndef LOCKSTEP_DATASET_H
#define LOCKSTEP_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/hash.h"
#include "lockstep/status.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum DatasetPart {
    DATASET_PART_TRAIN,
    DATASET_PART_TEST,
    DATASET_PART_HOLDOUT, /* of sets that have one of their own */
    DATASET_PARTS
} DatasetPart;

enum {
    DATASET_NAME_MAX = 64, /* bytes, as of a class's name: the zero byte is one of them */
    CLASS_NAME_MAX = 64,
    CLASSES_MAX = 1000,
    DATASET_FILES_MAX = 5,
    IMAGE_SIDE_MIN = 2
};

/* Where records come from. Opening checks presence and sizes of all files, reading checks labels.
 */
typedef struct Dataset {
    bool synthetic;
    bool by_class; /* training records stand class by class, which lanes are not to */
    /* "synthetic", a file's, or, of files in CIFAR-10's format, "cifar10-like" until they are
     * recognised as "cifar10" */
    char name[DATASET_NAME_MAX];
    char path[4096];              /* of a folder or file; "" for synthetic */
    uint64_t seed;                /* synthetic */
    int64_t count[DATASET_PARTS]; /* records of each part */
    Shape image;     /* of a record, n = 1: at most IMAGE_CHANNELS_MAX, IMAGE_SIDE_MAX */
    int64_t classes; /* labels are 0 to classes - 1; at most CLASSES_MAX */
    const char *const *class_names; /* [classes] "airplane" ... "truck" */
    void *names_memory;             /* of class_names, owned; NULL: they are static */
    /* [C] of pixels as 0 to 1, static: what augment.mean and std are unless told; NULL: those of
     * the set's own records (moments.h) */
    const float *mean, *std;
    const struct DatasetFormat *format; /* private to src/data; NULL: there are no records */
} Dataset;

/* CIFAR-10's shape, classes and numbers of records, without the records: what is assumed where a
 * model is looked at before there is data. */
void dataset_cifar10(Dataset *dataset);

/* `data` is a folder, an HDF5 file, or "synthetic". ST_DATA naming the folder, the file or what in
 * it is wrong, and the remedy. Files in CIFAR-10's format need only be whole records, the five of
 * training equally many, so that a small set in the same format works: count follows the files.
 * Beside official training files (10,000 records each) the test file must be official too. For
 * dataset_free, also after a failure. */
Status dataset_open(const char *data, uint64_t seed, Dataset *dataset);

/* Of a set with fine labels and coarse ones, CIFAR-100, takes the coarse ones. ST_USAGE where there
 * are none. */
Status dataset_coarse(Dataset *dataset);

/* A set of which only this is known, without the records: `names` has a class's name a line, NULL:
 * they are numbers. ST_DATA where no set can be so. For dataset_free, also after a failure. */
Status dataset_known(const char *name, Shape image, int64_t classes, const char *names,
                     Dataset *dataset);

void dataset_free(Dataset *dataset); /* accepts a zeroed one */

/* Whether reading it calls HDF5, which no two threads may at once. */
bool dataset_reads_hdf5(const Dataset *dataset);

/* Of a set with records: of how many files, equal parts in order, the training records are; and
 * what file i is called, the one behind them that of the test set. */
int dataset_file_count(const Dataset *dataset);
const char *dataset_file_name(const Dataset *dataset, int i);

/* What a report, a result and a checkpoint call it. */
const char *dataset_name(const Dataset *dataset);

/* Which files these are, as a hash of the system's boot and each file's device and inode: where two
 * processes have the same one, they read the same bytes. 0 for synthetic records. ST_DATA. */
Status dataset_files(const Dataset *dataset, uint64_t *files);

/* The names of the classes, one a line; the caller frees *text. */
Status dataset_names_text(const Dataset *dataset, char **text);

/* Whether images and classes are as many, as large, and called the same. */
bool dataset_is_alike(const Dataset *a, const Dataset *b);

/* Records ids[0..n) of a part, ascending, into labels[n] and pixels[n][C H W]; *bytes (may be NULL)
 * grows by what was read. ST_DATA naming file and record of the first bad label or short read. */
Status dataset_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                    uint16_t *labels, uint8_t *pixels, int64_t *bytes);

/* Adds n records: their labels, of one byte each where there are at most 256 classes and of two
 * elsewhere, then their pixels. */
void dataset_hash(const Dataset *dataset, const uint16_t *labels, const uint8_t *pixels, int64_t n,
                  HashState *hash);

/* Of a label and pixels alone: hashes of the same records have the same sum, modulo 2^64, in
 * whatever order. */
uint64_t record_hash(Shape image, uint16_t label, const uint8_t *pixels);

/* Whether it has as many records as CIFAR-10, of its shape. */
bool dataset_may_be_cifar10(const Dataset *dataset);

/* Calls a set "cifar10" whose sums of record_hash are those of CIFAR-10; `train` NULL: its test set
 * is all that is looked at. Elsewhere nothing changes. */
void dataset_recognise(Dataset *dataset, const uint64_t *train, uint64_t test);

/* Which of the records of a training set are trained on, and which are held out to select with. */
typedef struct Split {
    int64_t records; /* the first ones are trained on, those behind them held out; 0: all are used,
                      * and the seed chooses the held out ones (RNG_HOLDOUT) */
    int64_t holdout;
} Split;

/* How many of `total` records are trained on. ST_USAGE where that leaves none, or where there are
 * not as many. */
Status split_train_count(const Split *split, int64_t total, int64_t *count);

/* The ids of both parts, each ascending. Caller frees them with free(). Errors as above. */
Status split_ids(const Split *split, int64_t total, uint64_t seed, int64_t **train, int64_t **held);

/* Records of one or more lanes in memory. */
typedef struct Shard {
    int64_t first, count; /* range in the list of training ids */
    int64_t *ids;         /* [count] record numbers */
    uint16_t *labels;     /* [count] */
    uint8_t *pixels;      /* [count][C H W] */
    uint64_t hash;        /* XXH3-64 of ids, then dataset_hash */
} Shard;

/* Reads training ids[first..first+count). */
Status shard_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t first,
                  int64_t count, Shard *shard, int64_t *bytes);
void shard_free(Shard *shard);

#ifdef __cplusplus
}
#endif
#endif
