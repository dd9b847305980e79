/* metrics: metrics.jsonl, result.json and the JSON both are made of. Local; rank 0.
 *
 * metrics.jsonl has one object a line:
 * {"kind":"train","step":..,"epoch":..,"loss":..,"accuracy":..,"lr":.., "grad_norm":.., times and
 * rates} for logged steps, {"kind":"eval",...} for evaluations. It is fsynced before the checkpoint
 * of its step is committed; on resume it is cut back to the resumed step, torn lines dropped, so
 * that no step stands twice or is missing. */
#ifndef LOCKSTEP_METRICS_H
#define LOCKSTEP_METRICS_H

#include "lockstep/rundir.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds of one logged interval by phase; the largest over ranks. */
typedef struct PhaseTimes {
    double data, forward, backward, exposed, optimizer, checkpoint;
} PhaseTimes;

typedef struct TrainMetrics {
    int64_t step; /* steps done */
    double epoch; /* epochs done, fractional */
    double loss, accuracy, lr;
    double grad_norm; /* < 0: not computed (no clipping) */
    int64_t images;   /* of the interval */
    double images_per_s;
    PhaseTimes times;
    int64_t memory; /* peak resident bytes of rank 0 */
    int ranks, threads;
    const char *host;
} TrainMetrics;

typedef struct EvalMetrics {
    int64_t step, epoch;
    const char *split; /* "test" or "holdout" */
    double loss, accuracy;
    double train_loss, train_accuracy; /* of the epoch that ended; < 0: none */
    int64_t images;
    double wall_s;
    bool best;
} EvalMetrics;

typedef struct RunResult {
    uint64_t state_hash;
    double test_accuracy, test_loss;
    int64_t epoch, step;
    double images_per_s, wall_s;
    int ranks;
    int64_t lanes;
    const char *device, *dataset, *git;
    int64_t resumed_from; /* -1: null */
    int64_t parameters;
    double best_accuracy;
    int64_t best_step;
    const char *selected_on; /* "test" or "holdout": what best.h5 was chosen by */
    PhaseTimes times;
    int64_t confusion[10][10]; /* [true class][predicted class] of the test set */
    const char *status;        /* "finished" or "stopped" */
} RunResult;

/* Opens metrics.jsonl for appending after cutting it back to `step` (0: empties it). */
Status metrics_open(RunDir *dir, int64_t step);
Status metrics_train(RunDir *dir, const TrainMetrics *metrics);
Status metrics_eval(RunDir *dir, const EvalMetrics *metrics);
Status metrics_sync(RunDir *dir); /* fsync */

/* Writes result.json: temporary name, fsync, rename. */
Status metrics_result(RunDir *dir, const RunResult *result);

#ifdef __cplusplus
}
#endif
#endif
