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

typedef struct Input {
    Dataset dataset;
    Sampler sampler;
    int64_t first_lane, lane_count; /* of this rank */
    Shard *shards;                  /* [lane_count] */
    const uint8_t **resident;       /* [lane_count] their pixels in device memory, or NULL */
    EvalSet test, holdout;          /* holdout.records 0 without --holdout */
    uint64_t hash;                  /* of the hashes of all shards, the same on every rank */
    uint64_t test_hash;             /* of the test set, likewise; never 0 */
    int64_t bytes;                  /* read by this rank */
} Input;

/* The data set: of config->data, else CIFAR10_DIR, else data/cifar10. Local. ST_DATA, ST_USAGE. */
Status input_dataset(const RunConfig *config, Dataset *dataset);

/* Contiguous lanes of `rank`: the first lanes % size ranks have one more. Local. */
void input_lanes(int64_t lanes, int size, int rank, int64_t *first, int64_t *count);

/* Finds the data set: input->dataset, nothing is read. Local. ST_DATA. */
Status input_open(Input *input, const RunConfig *config);

/* Deals it out to the lanes: counts only. Local. ST_USAGE. */
Status input_plan(Input *input, const RunConfig *config);

/* Reads this rank's shards and evaluation records. Local. ST_DATA. */
Status input_read(Input *input, const RunConfig *config, int rank, int size);

/* The test set alone, for `eval`. Local. */
Status input_read_test(Input *input, const RunConfig *config, int rank, int size);

/* Hashes over all lanes' shard hashes, and over the test set. Collective. */
Status input_hash(Input *input, Comm *comm);

/* One log line a rank: host, lanes, records, bytes read. Collective. */
Status input_report(const Input *input, Comm *comm);

/* Distinct evaluation batches of `sets`, falling: sizes[0..4); returns how many. */
int input_eval_sizes(const Input *input, int64_t sizes[4]);

void input_free(Input *input); /* accepts a zeroed struct */

#ifdef __cplusplus
}
#endif
#endif
