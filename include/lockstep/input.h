/* input: the data a rank works on: shards of its lanes, and the records of its evaluation batches.
 */
#ifndef LOCKSTEP_INPUT_H
#define LOCKSTEP_INPUT_H

#include "lockstep/comm.h"
#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many batches of eval.batch an accelerator computes as one: one of 100 images would leave most
 * of a GPU idle. */
enum { EVAL_BATCHES_AT_ONCE = 5 };

/* A set that is evaluated, cut into fixed batches of which this rank owns a contiguous range: the
 * bits of an image's output depend on its batch, never on who computes it. */
typedef struct EvalSet {
    const char *name;   /* "test", "holdout" */
    int64_t records;    /* of the whole set */
    int64_t batch;      /* images of a batch; the last may be shorter */
    int64_t first, end; /* batches of this rank */
    Shard shard;        /* their records */
    /* shard.pixels in device memory (engine_load_records), or NULL */
    const uint8_t *resident;
} EvalSet;

/* Where a rank finds the data set, and what it is like there; plain bytes, gathered from all. */
typedef struct Place {
    char host[64], folder[200];   /* for messages; a longer name is cut */
    uint64_t files;               /* dataset_files */
    int64_t count[DATASET_PARTS]; /* Dataset.count */
    int64_t classes;
    Shape image;
    int64_t synthetic;
    int64_t copy; /* the lowest rank of this host that reads the same files */
} Place;

/* What the records of a file come to: of whole numbers alone, so that it is summed over ranks. */
typedef struct SurveyFile {
    uint64_t sum; /* of record_hash */
    int64_t records, black;
} SurveyFile;

typedef struct Survey {
    SurveyFile train[DATASET_FILES_MAX], test; /* of what was read */
    int64_t test_in_train; /* test records that the training set has as well, label and all */
} Survey;

typedef struct Input {
    Dataset dataset;
    Sampler sampler;
    int64_t first_lane, lane_count; /* of this rank */
    Shard *shards;                  /* [lane_count] */
    const uint8_t **resident;       /* [lane_count] their pixels in device memory, or NULL */
    int64_t eval_batch;             /* images of a batch of both sets */
    EvalSet test, holdout;          /* holdout.records 0: the best is selected on the test set */
    /* of the hashes of all shards, and of a holdout of the set's own; the same on every rank */
    uint64_t hash;
    uint64_t test_hash; /* of the test set, likewise; never 0 */
    int64_t bytes;      /* read by this rank */
    Place *places;      /* [ranks]; NULL before input_compare, and for one rank */
    int copies;         /* of the data set: distinct Place.copy */
    Survey survey;      /* over all ranks (survey.h) */
} Input;

/* A range of a list of record numbers that one rank, its owner, works on: a lane's shard, or its
 * share of a set that is evaluated. */
typedef enum InputSet { INPUT_LANE, INPUT_HOLDOUT, INPUT_TEST } InputSet;
typedef struct InputPart {
    InputSet set;
    int owner;
    int64_t lane;         /* INPUT_LANE's; -1 */
    int64_t first, count; /* in the list: of training records, held-out ones, all of the test set */
} InputPart;

/* The lists of record numbers, each ascending. */
typedef struct InputLists {
    int64_t *train, *held, *test;
} InputLists;

/* The data set: of config->data, else CIFAR10_DIR, else data/cifar10. Local. ST_DATA, ST_USAGE. */
Status input_dataset(const RunConfig *config, Dataset *dataset);

/* Contiguous lanes of `rank`: the first lanes % size ranks have one more. Local. */
void input_lanes(int64_t lanes, int size, int rank, int64_t *first, int64_t *count);

/* Finds the data set: input->dataset, nothing is read; settles what a batch of evaluation is, on an
 * accelerator or not. Local. ST_DATA. */
Status input_open(Input *input, const RunConfig *config, bool accelerator);

/* Whether all ranks have found the same: images, classes, numbers of records. Sets places and
 * copies. Nothing is read. Collective, agreed. ST_DATA names two ranks, their hosts and folders. */
Status input_compare(Input *input, Comm *comm);

/* Deals it out to the lanes: counts only. Local. ST_USAGE. */
Status input_plan(Input *input, const RunConfig *config);

/* Reads this rank's shards and evaluation records. Local. ST_DATA. */
Status input_read(Input *input, const RunConfig *config, int rank, int size);

/* The same for another rank of another number of them, in place of what was read. Local. ST_DATA.
 */
Status input_read_again(Input *input, const RunConfig *config, int rank, int size);

/* The test set alone, for `eval`. Local. */
Status input_read_test(Input *input, const RunConfig *config, int rank, int size);

/* What all `size` ranks work on: a lane each of input->sampler (none where that is not planned),
 * then what each rank evaluates: parts[input_part_count]. Empty parts have count 0. Local. */
int64_t input_part_count(const Input *input, int size);
void input_parts(const Input *input, const RunConfig *config, int size, InputPart *parts);

/* What `rank` itself has read of a part of its own: its hash, 0 of an empty one. Local. */
uint64_t input_part_hash(const Input *input, const InputPart *part);

/* The lists that parts are ranges of; those of training where input->sampler is planned. Freed with
 * input_lists_free, also after a failure. Local. */
Status input_lists(const Input *input, const RunConfig *config, InputLists *lists);
void input_lists_free(InputLists *lists);

/* Reads a part, whoever owns it; *bytes grows. Local. ST_DATA. */
Status input_read_part(const Dataset *dataset, const InputLists *lists, const InputPart *part,
                       Shard *shard, int64_t *bytes);

/* Hashes over all lanes' shard hashes, and over the test set. Collective. */
Status input_hash(Input *input, Comm *comm);

/* The latter alone. Collective. */
Status input_hash_test(Input *input, Comm *comm);

/* Mean and standard deviation of each channel of what is trained on, pixels as 0 to 1: published
 * ones where the set has them, else from exact sums over all ranks. Collective. */
Status input_moments(const Input *input, Comm *comm, double mean[IMAGE_CHANNELS_MAX],
                     double std[IMAGE_CHANNELS_MAX]);

/* One log line a rank: host, lanes, records, bytes read. Collective. */
Status input_report(const Input *input, Comm *comm);

/* Distinct evaluation batches of `sets`, falling: sizes[0..4); returns how many. */
int input_eval_sizes(const Input *input, int64_t sizes[4]);

void input_free(Input *input); /* accepts a zeroed struct */

#ifdef __cplusplus
}
#endif
#endif
