/* dataset: the records that a run learns from and is tested on. Local.
 *
 * A record is a label and the pixels of one image, C x H x W bytes: planes, each row by row. How
 * large images are and how many classes there are is the data set's to say (Dataset.image,
 * .classes); nothing outside src/data has a constant for either. There are CIFAR-10's official
 * binary files and, in the same format, procedural images. Training records are numbered over
 * data_batch_1.bin to data_batch_5.bin in order, test records over test_batch.bin; the number is a
 * record's identity in shuffling and augmentation. */
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

typedef enum DatasetPart { DATASET_PART_TRAIN, DATASET_PART_TEST } DatasetPart;

/* Where records come from. Opening checks presence and sizes of all files, reading checks labels.
 */
typedef struct Dataset {
    bool synthetic;
    char folder[4096]; /* "" for synthetic */
    uint64_t seed;     /* synthetic */
    int64_t count[2];  /* records of each part */
    Shape image;       /* of a record, n = 1: at most IMAGE_CHANNELS_MAX, IMAGE_SIDE_MAX */
    int64_t classes;   /* labels are 0 to classes - 1 */
    const char *const *class_names; /* [classes], static: "airplane" ... "truck" */
} Dataset;

/* CIFAR-10's shape, classes and numbers of records, without the records: what is assumed where a
 * model is looked at before there is data. */
void dataset_cifar10(Dataset *dataset);

/* `data` is a folder, or "synthetic". ST_DATA naming the folder or the first missing or short file
 * and the remedy (scripts/get-cifar10.sh, --data synthetic). Files need only be whole records, the
 * five of training equally many, so that a small set in the same format works: count follows the
 * files. Beside official training files (10,000 records each) the test file must be official too.
 */
Status dataset_open(const char *data, uint64_t seed, Dataset *dataset);

/* "cifar10" or "synthetic". */
const char *dataset_name(const Dataset *dataset);

/* Which files these are, as a hash of the system's boot and each file's device and inode: where two
 * processes have the same one, they read the same bytes. 0 for synthetic records. ST_DATA. */
Status dataset_files(const Dataset *dataset, uint64_t *files);

/* Records ids[0..n) of a part, ascending, into labels[n] and pixels[n][C H W]; *bytes (may be NULL)
 * grows by what was read. ST_DATA naming file and record of the first bad label or short read. */
Status dataset_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                    uint16_t *labels, uint8_t *pixels, int64_t *bytes);

/* Adds n records: their labels, of one byte each where there are at most 256 classes and of two
 * elsewhere, then their pixels. */
void dataset_hash(const Dataset *dataset, const uint16_t *labels, const uint8_t *pixels, int64_t n,
                  HashState *hash);

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
