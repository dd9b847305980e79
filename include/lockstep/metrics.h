/* metrics: metrics.jsonl, result.json and the JSON both are made of. Local; rank 0.
 *
 * metrics.jsonl has one object a line, of kind "train" for logged steps and "eval" for evaluations.
 * First come the fields that are the same bytes in every run of the same bits; then, under the
 * names times (with `at`, the time of day), rates, memory, ranks, threads and host, those that are
 * not. Numbers are the shortest
 * text that reads back to the same value; NaN and infinities are null. The file is fsynced before
 * the checkpoint of its step is committed; on resume it is cut back to the resumed step, torn lines
 * dropped, so that no step stands twice or is missing. Evaluations of the test set that a
 * checkpoint knows of and the file lacks are put back, with null for times.
 *
 * The same facts go to the folder tensorboard, for TensorBoard: each always after the line in
 * metrics.jsonl, so that nothing stands there of a step that metrics.jsonl does not have. */
#ifndef LOCKSTEP_METRICS_H
#define LOCKSTEP_METRICS_H

#include "lockstep/board_image.h"
#include "lockstep/checkpoint.h"
#include "lockstep/comm.h"
#include "lockstep/histogram.h"
#include "lockstep/phase.h"
#include "lockstep/rundir.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TrainMetrics {
    const char *dataset; /* its name */
    int64_t step;        /* steps done */
    double epoch;        /* epochs done, fractional */
    double loss, accuracy, lr;
    double grad_norm; /* < 0: not computed (no clipping) */
    int64_t images;   /* of the interval */
    double images_per_s;
    PhaseTimes times; /* of the interval; the largest over ranks */
    int64_t memory;   /* peak resident bytes of rank 0 */
    int ranks, threads;
    const char *host;
} TrainMetrics;

typedef struct EvalMetrics {
    const char *dataset; /* its name */
    int64_t step, epoch;
    const char *split; /* "test" or "holdout" */
    double loss, accuracy;
    double train_loss, train_accuracy; /* of the epoch that ended; < 0: none */
    int64_t images;
    double wall_s;
    bool best;
} EvalMetrics;

/* What TensorBoard is told once. */
typedef struct BoardFacts {
    const char *config, *structure; /* texts */
} BoardFacts;

/* Where metrics go. */
typedef struct Metrics Metrics;

enum { RESULT_CONFUSION_MAX = 100 };

/* How fast a rank is, of late; host: borrowed. */
typedef struct RankPace {
    const char *host;
    double lane_s, waited_s; /* StepTimes of stepper.h */
    bool slow;               /* it was named as slow */
} RankPace;

typedef struct RunResult {
    uint64_t state_hash;
    SampleSums samples;
    BadSteps bad_steps;
    double test_accuracy, test_loss;   /* with the recipe's test-time augmentation, and */
    double plain_accuracy, plain_loss; /* without */
    const char *tta;                   /* its name, "none": there is none */
    int64_t epoch, step;
    double images_per_s, wall_s;
    double train_s;                  /* of wall_s in steps: without evaluations and checkpoints */
    double plan_s;                   /* before wall_s began: planning */
    int64_t plans_made, plans_taken; /* Planning of device.h */
    int ranks;
    const RankPace *pace;   /* [ranks]; NULL: one rank, or too few steps to tell */
    const CommLoss *losses; /* [n_losses] ranks that died while the others went on */
    int64_t n_losses;
    int64_t lanes;
    const char *device, *dataset, *git;
    int64_t resumed_from; /* -1: null */
    int64_t parameters;
    int64_t test_images, test_correct;
    const HistoryEntry *last_epoch; /* the last one that was evaluated; NULL: none */
    double best_accuracy, best_loss;
    double target, target_s; /* accuracy asked for, 0: none; seconds to it, NaN: not reached */
    int64_t best_step;
    char best_name[96];      /* "/best.h5", or how else its checkpoint is named; "": not there */
    const char *selected_on; /* "test" or "holdout": what best.h5 was chosen by */
    PhaseTimes times;        /* the largest over ranks */
    Shape image;             /* of the data set */
    int64_t classes;
    const char *const *class_names; /* [classes] */
    const int64_t *class_images;    /* [classes] images of each in the test set, and */
    /* [classes][classes]: [true][predicted]; NULL both: all are 0. Beyond RESULT_CONFUSION_MAX
     * classes result.json has null for it. */
    const int64_t *confusion;
    const char *status; /* "finished" or "stopped" */
} RunResult;

/* Opens metrics.jsonl for appending, as a new file with the old one's lines up to `step` (0: none).
 * Lines after it, torn and unreadable ones go. Each of the n evaluations `known`, in the order of
 * their steps, that has no line gets one again, whose times are null. `facts` NULL: nothing for
 * TensorBoard. `dir` is borrowed. *sinks is to be closed, also after a failure. */
Status metrics_open(RunDir *dir, int64_t step, const EvalMetrics *known, int64_t n,
                    const BoardFacts *facts, Metrics **sinks);

/* The same for a file that is not to be written to: as it should be, it stays untouched. */
Status metrics_mend(RunDir *dir, int64_t step, const EvalMetrics *known, int64_t n);

void metrics_close(Metrics *sinks); /* accepts NULL */
Status metrics_train(Metrics *sinks, const TrainMetrics *metrics);
Status metrics_eval(Metrics *sinks, const EvalMetrics *metrics);
/* For TensorBoard alone, of a step that metrics.jsonl has; nothing where it is not written for. A
 * picture is not copied in memory. */
Status metrics_image(Metrics *sinks, int64_t step, const BoardImage *image);
Status metrics_histogram(Metrics *sinks, int64_t step, const char *tag, const Histogram *histogram);
Status metrics_sync(Metrics *sinks); /* fsync */

/* Writes result.json: temporary name, fsync, rename. */
Status metrics_result(RunDir *dir, const RunResult *result);

#ifdef __cplusplus
}
#endif
#endif
