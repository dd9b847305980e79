/* config: one table of options serves the YAML file, the environment, the command line, --help,
 * --dump-config and the comparison at resume. Local.
 *
 * Order: default < file < environment LOCKSTEP_KEY < flag. Nested YAML keys are joined by dots
 * (`optimizer.lr`); LOCKSTEP_OPTIMIZER_LR and --optimizer.lr name the same option. Every error is
 * ST_USAGE and names file and line, variable or flag, and the nearest known name for an unknown
 * one. */
#ifndef LOCKSTEP_CONFIG_H
#define LOCKSTEP_CONFIG_H

#include <stdio.h>

#include "lockstep/augment.h"
#include "lockstep/device.h" /* Precision */
#include "lockstep/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CONFIG_PATH_MAX = 4096,
    CONFIG_MODEL_MAX = 65536,
    CONFIG_GROUPS_MAX = 8192,
    CONFIG_WEIGHTS_MAX = 16384,
    CONFIG_CHANGES_MAX = 8192,
    KEEP_BEST_MAX = 100 /* evaluations that a run's state ranks */
};

enum { CHECKPOINT_EVERY_AUTO = -1 };

typedef enum DeviceChoice { DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_REF } DeviceChoice;
typedef enum Reduction { REDUCTION_EXACT, REDUCTION_EXACT32, REDUCTION_NATIVE } Reduction;
typedef enum ReductionType { REDUCTION_FP32, REDUCTION_BF16 } ReductionType;
typedef enum Tta { TTA_NONE, TTA_FLIP, TTA_SHIFTS } Tta;
typedef enum Labels { LABELS_FINE, LABELS_COARSE } Labels;
typedef enum Monitor { MONITOR_ACCURACY, MONITOR_LOSS } Monitor;
typedef enum ProgressChoice { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_LINES } ProgressChoice;
typedef enum CrashHow {
    CRASH_KILL,
    CRASH_SEGV,
    CRASH_ABORT,
    CRASH_EXIT,
    CRASH_HANG,
    CRASH_HANG_FORWARD, /* in the forward pass of a lane */
    CRASH_HANG_BUCKET,  /* before a sum over ranks */
    CRASH_SKIP_BUCKET,  /* which is left out */
    CRASH_SHORT_BUCKET, /* or of another size */
    CRASH_SLOW,         /* from then on its lanes take three times as long */
    CRASH_NAN,
    CRASH_FLIP, /* of a bit of the weights; those that follow likewise */
    CRASH_FLIP_SLOT,
    CRASH_FLIP_RUNNING,
    CRASH_FLIP_EMA,
    CRASH_FLIP_STATE,
    CRASH_FLIP_SCHEDULE,
    CRASH_FLIP_SAMPLE
} CrashHow;

/* What follows a step that is not finite (--bad-steps). */
typedef enum BadStepPolicy { BAD_STEPS_STOP, BAD_STEPS_SKIP, BAD_STEPS_ROLLBACK } BadStepPolicy;
typedef struct BadStepRules {
    BadStepPolicy policy;
    int64_t in_a_row, skipped; /* skip: most steps in a row, and in all */
    int64_t rollbacks;         /* rollback: how often at most */
    double lr_factor;          /* and by what the learning rate is multiplied each time */
} BadStepRules;

/* --crash-at STEP[:RANK[:HOW]]: before step `step` is computed. */
typedef struct CrashAt {
    int64_t step; /* -1: none */
    int64_t rank; /* -1: the last rank */
    CrashHow how;
} CrashAt;

/* --trace STEPS[:FIRST] */
typedef struct TraceSteps {
    int64_t steps; /* 0: no trace */
    int64_t first; /* from 0; -1: once this process is warm */
} TraceSteps;

typedef struct RunConfig {
    char file[CONFIG_PATH_MAX];   /* the YAML file, "" if none */
    char name[128];               /* its base name without .yaml */
    char model[CONFIG_MODEL_MAX]; /* model text */
    int model_line;               /* line of the file where the text begins */
    int groups_line;              /* likewise, of `groups` */
    /* a line KEY=VALUE for each option of the run (config_each) that environment and flags gave
     * another value than the file did, or, without a file, than the default */
    char changes[CONFIG_CHANGES_MAX];

    /* folder, HDF5 file, "synthetic", or "" (CIFAR10_DIR, then data/cifar10) */
    char data[CONFIG_PATH_MAX];
    Labels labels; /* of sets that have both kinds */
    /* Run directory, default runs/NAME. Until the run settles it (config_out_at) the text is one
     * for strftime: a % is %%. */
    char out[CONFIG_PATH_MAX];
    char runs_dir[CONFIG_PATH_MAX]; /* what a relative `out` is below; "" once it is */
    int64_t train_records;
    int64_t holdout;
    Augment augment;
    int64_t loader_threads;

    uint64_t seed;
    int64_t batch_size; /* global, B */
    int64_t lanes;      /* L; 0: auto */
    int64_t threads;    /* compute threads a rank; 0: cores of the host / its ranks, at least 1 */
    int64_t epochs, steps; /* steps 0: no limit */
    bool drop_last;
    BadStepRules bad_steps;
    double label_smoothing;
    char class_weights[CONFIG_WEIGHTS_MAX]; /* numbers, commas between them; "": all alike */
    Optimizer optimizer;
    char groups[CONFIG_GROUPS_MAX]; /* text of parameter groups (param_group.h) */
    Schedule schedule;

    DeviceChoice device;
    Precision precision;
    bool autotune; /* a fresh run's algorithms are chosen by timing */
    Reduction reduction;
    ReductionType reduction_type; /* of the elements of a native sum's messages */
    int64_t bucket_bytes;         /* of a message */
    double deadline;              /* seconds */
    double heartbeat;             /* seconds between two of the owner file */
    bool elastic;                 /* ranks that die do not end the others */
    double max_time;              /* seconds from the start of the process; 0: no limit */

    int64_t checkpoint_every; /* steps; 0: epoch ends only; CHECKPOINT_EVERY_AUTO */
    double mtbf;              /* seconds: mean time between failures, for the latter */
    double straggler_factor;  /* times the median rank's time makes a rank slow; 0: not said */
    int64_t straggler_steps;  /* that are compared */
    int64_t drift_every; /* steps between comparisons of replicated state; 0: when it is saved */
    char checkpoint_local[CONFIG_PATH_MAX]; /* folder on rank 0's node, "": none */
    int64_t keep, keep_best;                /* checkpoints: the newest and the best so many */
    char resume[CONFIG_PATH_MAX];           /* "auto", "none", or a file */
    char init_from[CONFIG_PATH_MAX]; /* a checkpoint whose weights a fresh run begins with, or "" */
    bool reset;
    CrashAt crash;
    TraceSteps trace;

    int64_t eval_every; /* epochs */
    int64_t eval_batch; /* images of one evaluation batch (see EVAL_BATCHES_AT_ONCE) */
    Tta tta;            /* of the evaluation at the end */
    Monitor monitor;    /* what makes an evaluation better: best, patience, plateau */
    double target;      /* accuracy that ends the run; 0: none */
    int64_t patience;   /* evaluations without a better one before the run ends early; 0: never */
    int64_t log_every;  /* steps */
    ProgressChoice progress;
    int64_t progress_width; /* columns; 0: ask the terminal */
    bool quiet;
    bool tensorboard;               /* write event files for TensorBoard */
    int64_t tensorboard_images;     /* evaluations with pictures, at most; 0: none */
    int64_t tensorboard_histograms; /* steps between those of weights and gradients; 0: none */
    bool report;                    /* write RUN/report when the run has ended */

    bool describe, dump_config, help; /* print and exit */
    bool json;                        /* what `describe` and `bench` print */
    ConvAlgorithm convolutions;       /* no option of train: set by `bench`, for the cpu backend */
} RunConfig;

/* Everything from argv (after the subcommand), the file it names and the environment. */
Status config_load(int argc, char **argv, RunConfig *config);

/* The configuration a checkpoint carries (config_text, stored). `source` names it in errors. */
Status config_from_text(const char *text, const char *source, RunConfig *config);

/* Derived checks that need more than one option: batch_size divisible by lanes (names the nearest
 * that are), holdout, schedule points. Called by config_load, and again once lanes are
 * known. */
Status config_check(RunConfig *config);

/* Whether a name of RunConfig.out holds parts of a time; and the directory that it names at `now`,
 * seconds of the epoch, in local time. ST_USAGE. */
bool config_out_is_timed(const char *out);
Status config_out_at(const char *out, int64_t now, char path[CONFIG_PATH_MAX]);

/* The resolved configuration as YAML that config_load reads back to the same RunConfig. */
Status config_dump(const RunConfig *config, FILE *out);

/* The same as a string the caller frees: what checkpoints carry and ranks compare. `stored` leaves
 * out what is not a property of the run (out, data, resume, reset, crash-at, progress, quiet,
 * describe ...). */
Status config_text(const RunConfig *config, bool stored, char **text);

/* Compares the stored text of a checkpoint with `config`: ST_USAGE listing each key that must not
 * change at resume with both values; ST_OK where none differs. */
Status config_compatible(const RunConfig *config, const char *stored_text, const char *source);

/* Fits the configuration to a set's images: gives augment.mean and std their numbers, mean[C] and
 * std[C] of pixels as 0 to 1 where they are `auto`. ST_USAGE where there are neither as many
 * numbers as channels nor one for all, or where augmentation wants larger images. */
Status config_fit_images(RunConfig *config, Shape image, const double *mean, const double *std);

/* Settles schedule.total_epochs of a schedule that stretches with the run: as named, else as in the
 * stored text of the checkpoint that the run goes on from, else (stored_text NULL) the epochs.
 * ST_USAGE where it goes on for more epochs than the schedule has and none are named. */
Status config_settle_length(RunConfig *config, const char *stored_text, const char *source);

/* Once it is settled: whether the run comes to the end of its warm-up and to all points. ST_USAGE
 * where it has not the epochs; where --steps ends it earlier, or a named length is longer, and
 * where it goes on at a learning rate of 0, a warning. */
Status config_check_length(const RunConfig *config, int64_t steps_per_epoch);

/* The name of a kind of test-time augmentation, and the kind of a name: false where there is none.
 */
const char *config_tta_name(Tta tta);
bool config_tta_find(const char *name, Tta *tta);

/* Calls `visit` with key and value, as --dump-config writes them, of each option that is a property
 * of the run. */
void config_each(const RunConfig *config,
                 void (*visit)(void *context, const char *key, const char *value), void *context);

/* --help of train: every option with its default. */
void config_help(FILE *out);

/* The same as a page, with what each may be: docs/options.md. */
void config_page(FILE *out);

#ifdef __cplusplus
}
#endif
#endif
