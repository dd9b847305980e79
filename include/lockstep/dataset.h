/* dataset: CIFAR-10 records, from the official binary files or made procedurally. Local.
 *
 * A record is 3,073 bytes: one label (0 to 9), then 3 x 32 x 32 pixels (planes R, G, B, row by
 * row). Training records are numbered over data_batch_1.bin to data_batch_5.bin in order, test
 * records over test_batch.bin; the number is a record's identity in shuffling and augmentation. */
#ifndef LOCKSTEP_DATASET_H
#define LOCKSTEP_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DATASET_CLASSES = 10,
    DATASET_CHANNELS = 3,
    DATASET_SIDE = 32,
    DATASET_PIXELS = 3 * 32 * 32,
    DATASET_RECORD = 1 + DATASET_PIXELS,
    DATASET_TRAIN = 50000,
    DATASET_TEST = 10000
};

extern const char *const dataset_class_names[DATASET_CLASSES]; /* "airplane" ... "truck" */

typedef enum DatasetPart { DATASET_PART_TRAIN, DATASET_PART_TEST } DatasetPart;

/* Where records come from. Opening checks presence and sizes of all files, reading checks labels.
 */
typedef struct Dataset {
    bool synthetic;
    char folder[4096]; /* "" for synthetic */
    uint64_t seed;     /* synthetic */
    int64_t count[2];  /* records of each part */
} Dataset;

/* `data` is a folder, or "synthetic". ST_DATA naming the folder or the first missing or short file
 * and the remedy (scripts/get-cifar10.sh, --data synthetic). Files need only be whole records, the
 * five of training equally many, so that a small set in the same format works: count follows the
 * files. Beside official training files (10,000 records each) the test file must be official too.
 */
Status dataset_open(const char *data, uint64_t seed, Dataset *dataset);

/* "cifar10" or "synthetic". */
const char *dataset_name(const Dataset *dataset);

/* Records ids[0..n) of a part, ascending, into labels[n] and pixels[n][DATASET_PIXELS]; *bytes (may
 * be NULL) grows by what was read. ST_DATA naming file and record of the first bad label or short
 * read. */
Status dataset_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                    uint8_t *labels, uint8_t *pixels, int64_t *bytes);

/* The training set after the hold-out: ids of `total - holdout` records to train on and of
 * `holdout` to select with, each ascending, chosen by the seed (RNG_HOLDOUT). Caller frees both
 * with free(). */
Status dataset_split(int64_t total, int64_t holdout, uint64_t seed, int64_t **train,
                     int64_t **held);

/* Records of one or more lanes in memory. */
typedef struct Shard {
    int64_t first, count; /* range in the list of training ids */
    int64_t *ids;         /* [count] record numbers */
    uint8_t *labels;      /* [count] */
    uint8_t *pixels;      /* [count][DATASET_PIXELS] */
    uint64_t hash;        /* XXH3-64 of ids, labels and pixels */
} Shard;

/* Reads training ids[first..first+count). */
Status shard_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t first,
                  int64_t count, Shard *shard, int64_t *bytes);
void shard_free(Shard *shard);

#ifdef __cplusplus
}
#endif
#endif
