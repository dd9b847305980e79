/* checkpoint: the HDF5 file (layout below) and the folder of them. Local.
 *
 *   /meta                  attributes format_version, config, seed, lanes, git, dataset,
 *                          dataset_hash, test_hash, steps_per_epoch, image_channels,
 *                          image_height, image_width, classes, class_names (one a line),
 *                          instruction_set, slots, ema, time, lineage (lineage.h), state_hash,
 *                          content_hash; autotune where the run has choices made by timing
 *   /params/NAME           float32, logical order (conv O,I,KH,KW), chunked, fletcher32
 *   /running/NAME          batch-norm running statistics
 *   /optimizer/SLOT/NAME   as params, of those that have it: parameters may have different
 *                          optimizers, and frozen ones have none
 *   /optimizer/slow/NAME   Lookahead's slow weights, and as /optimizer/slow_running/NAME its slow
 *                          running statistics
 *   /ema/NAME              moving average of the weights, where the run has one
 *   /state                 attributes epoch, step, position, best_*, last_accuracy, without_better,
 *                          accumulators, finished; plateau_* where the learning rate follows
 *                          evaluations; samples_*, sums of what was trained on; bad_steps_* where
 *                          some were skipped, or the run was rolled back; datasets history,
 *                          runners_up (step, accuracy and loss of the best behind the best) and,
 *                          of --reduction exact32, gradient_peak (int64, one a parameter)
 *
 * Files of earlier format versions are read: what came later (2: last_accuracy, plateau_*; 3:
 * test_hash, lineage; 4: image_..., classes, class_names; samples_*, bad_steps_*, steps_per_epoch,
 * runners_up) is optional, and absent it has its default. From 5 on content_hash is of all that the
 * file holds, by name; it stands for optional attributes and groups too, which a reader that does
 * not know them is not disturbed by. Something new and optional needs no new version, unless
 * state_hash is of it too, as of gradient_peak: files with that are of version 6, all others of 5.
 *
 * Groups keep their members in model-text order. Built in memory; temporary name in the folder
 * (pid, job id, restart count and host in it), fsync, sidecar STEP.h5.xxh3 (XXH3-128 of the file)
 * renamed into place, then the .h5 itself (the commit), then fsync of the folder; a file that is
 * there already and verifies is never replaced. Reading: the bytes that agreed with the sidecar are
 * the bytes HDF5 parses. A path may be a symbolic link (best.h5): the sidecar is that of its
 * target. */
#ifndef LOCKSTEP_CHECKPOINT_H
#define LOCKSTEP_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/hash.h"
#include "lockstep/model.h"
#include "lockstep/optim.h"
#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CHECKPOINT_FORMAT = 6, CHECKPOINT_SLOTS_MAX = 8, CHECKPOINT_LANES_MAX = 4096 };
#define CHECKPOINT_STEP_MAX INT64_C(1000000000000000) /* the bound of --steps */

/* One evaluation at an epoch's end. */
typedef struct HistoryEntry {
    int64_t epoch, step;
    double train_loss, train_accuracy, test_loss, test_accuracy;
} HistoryEntry;

/* An evaluation that could have been the best. */
typedef struct Evaluated {
    int64_t step;
    double accuracy, loss;
} Evaluated;

/* Those behind the best one, the better first, of equals the earlier; none whose loss is NaN. What
 * comes after so many is forgotten. */
typedef struct RunnersUp {
    int64_t n;
    Evaluated at[KEEP_BEST_MAX - 1];
} RunnersUp;

/* Sums of what a run has trained on (ledger.h). */
typedef struct SampleSums {
    bool known;     /* false: a file from before there were any */
    int64_t from;   /* step that they begin with; 0: the run's first */
    uint64_t all;   /* of all steps since then, and */
    uint64_t epoch; /* of those in the current epoch */
} SampleSums;

/* What steps that were not finite have come to so far (--bad-steps). */
typedef struct BadSteps {
    int64_t skipped;  /* steps without an update in all, and */
    int64_t in_a_row; /* right before the state's */
    int64_t rollbacks;
    double lr_factor; /* on every learning rate; 1 before the first roll-back */
} BadSteps;

/* Where a run stands: all that resume needs beside the arrays. Sums are fixed-point (exact_sum.h).
 */
typedef struct RunState {
    int64_t step;     /* steps done */
    int64_t epoch;    /* epochs completed */
    int64_t position; /* steps done in the current epoch */
    double best_accuracy, best_loss;
    double last_accuracy; /* of the last evaluation that could be the best; NaN: none, or NaN */
    int64_t best_step;    /* -1: none yet */
    RunnersUp runners_up;
    int64_t without_better; /* evaluations since the best: patience */
    /* accumulated since the last logged step, and since the epoch's start */
    int64_t log_loss, log_correct, log_images;
    int64_t epoch_loss, epoch_correct, epoch_images;
    int64_t last_logged_step;
    bool finished;    /* the run reached its end */
    bool has_plateau; /* the learning rate is the plateau's: */
    Plateau plateau;
    SampleSums samples;
    BadSteps bad;
    int64_t n_history;
    HistoryEntry *history; /* [n_history], owned by whoever filled it */
} RunState;

/* A view of everything one checkpoint holds. Arrays are flat host buffers in the model's flat
 * order. */
typedef struct Checkpoint {
    const Model *model; /* borrowed; NULL before the model is known */
    const char *config; /* YAML text */
    uint64_t seed;
    int64_t lanes;
    char git[64];
    char dataset[DATASET_NAME_MAX];
    uint64_t dataset_hash;   /* of the training records, and */
    uint64_t test_hash;      /* of the test set; 0: the file does not say */
    int64_t steps_per_epoch; /* that the records come to; 0: the file does not say */
    Shape image;             /* of the data set; c 0: the file does not say (CIFAR-10's) */
    int64_t classes;         /* likewise, and their */
    const char *class_names; /* names, one a line; NULL where image.c is 0 */
    char instruction_set[32];
    const char *lineage;   /* which branch of its run it is on (lineage.h); NULL: none is known */
    const char *autotune;  /* Tuning.choices of the run (device.h), NULL: none */
    uint64_t state_hash;   /* as read; checkpoint_write stores the hash it computes itself */
    uint64_t content_hash; /* of all that the file holds, likewise; 0: the file does not say */
    bool has_ema;          /* as read; checkpoint_write stores whether ema is set */
    int n_slots;
    const char *slot_name[CHECKPOINT_SLOTS_MAX]; /* as read: part of config's memory */
    float *weight;                               /* [flat] */
    float *running;                              /* [running_flat] */
    float *slot[CHECKPOINT_SLOTS_MAX];           /* [flat] each; two may share a buffer */
    /* [n_params] each: the parameters that have it; NULL: all */
    const bool *slot_has[CHECKPOINT_SLOTS_MAX];
    float *slow_running; /* [running_flat] or NULL */
    float *ema;          /* [flat] or NULL */
    int64_t *peak;       /* [n_params] what the scales of sums follow (fixed_follow), or NULL */
    RunState state;
} Checkpoint;

/* Asked right before anything is committed, moved away or removed; a failure keeps it from being.
 */
typedef struct CheckpointGate {
    Status (*ask)(void *context);
    void *context;
} CheckpointGate;

/* Writes and commits FOLDER/step-%08lld.h5. ST_CHECKPOINT with path and cause; nothing half-written
 * is left under the final name. A good file of that step with all the same content is success, one
 * with another ST_CHECKPOINT; a damaged one is renamed .bad. `gate` may be NULL. *bytes (may
 * be NULL) is the file's size. */
Status checkpoint_write(const char *folder, const Checkpoint *checkpoint,
                        const CheckpointGate *gate, int64_t *bytes);

/* What a look at a file came to. Only bytes that were read whole make it bad. */
typedef enum CheckpointVerdict {
    CHECKPOINT_GOOD,
    CHECKPOINT_BAD, /* they contradict themselves, or are no checkpoint */
    /* it, or its checksum file, could not be read, or it is of another version of this program:
     * nothing is known of it */
    CHECKPOINT_UNSEEN,
    CHECKPOINT_GONE /* there is no such file (any more) */
} CheckpointVerdict;

/* The one meaning of "verifies", for whoever uses a file. Good: the bytes agree with HDF5's own
 * checksums, with the hashes they carry, with what a run of the configuration they carry comes to,
 * and, where there is one, with the checksum file; unless all but the last holds, as after another
 * program opened the file for writing: still good, and checkpoint_load warns. But for good ones the
 * error record says what was found. Trouble in reading is tried again, for less than a second. */
CheckpointVerdict checkpoint_look(const char *path);

/* ST_OK where it is good, else ST_CHECKPOINT. */
Status checkpoint_verify(const char *path);

/* The bytes of a good file, those that were looked at: to be parsed below, or sent to a rank that
 * cannot see the file. Warns of one that its checksum file does not agree with. The caller frees
 * *bytes. */
Status checkpoint_load(const char *path, char **bytes, size_t *size);

/* Parses /meta and /state of a file's bytes: fills *checkpoint anew, all but model and arrays
 * (NULL). ST_CHECKPOINT; ST_USAGE for a newer format version. config, class_names, autotune,
 * lineage and history are allocated and owned by the caller, who frees them with
 * checkpoint_meta_free. `name` is for messages. */
Status checkpoint_parse_meta(const void *bytes, size_t size, const char *name,
                             Checkpoint *checkpoint);
void checkpoint_meta_free(Checkpoint *checkpoint);

/* Parses the arrays of checkpoint->model into those of weight, running, slot[0..n_slots), ema and
 * peak that are not NULL; gaps become zero. A missing array, one too many or another shape is
 * ST_CHECKPOINT naming it. */
Status checkpoint_parse_arrays(const void *bytes, size_t size, const char *name,
                               Checkpoint *checkpoint);

/* Looks, and parses /meta and /state of a good file; warns of nothing. */
Status checkpoint_read_meta(const char *path, Checkpoint *checkpoint);

/* A folder that checkpoints are looked for in. */
typedef struct CheckpointPlace {
    const char *folder; /* need not be there */
    bool bad;           /* it has bad ones, or came to some of another branch */
} CheckpointPlace;

/* The newest good file of several folders (of one step: of the first) that is of `lineage` (NULL:
 * of any), and the number of its place; "" and -1 where there is none. Sets the places' `bad`.
 * Older ones are tried in turn, each bad one is warned of and (if `quarantine`) renamed .bad.
 * ST_CHECKPOINT where one that is newer than that cannot be looked at: it stays as it is, for
 * whoever can make it readable, or says by --resume FILE that it is not wanted. */
Status checkpoint_search(CheckpointPlace *places, int n_places, bool quarantine,
                         const char *lineage, char path[4096], int *where);

/* The same of one folder, but ST_CHECKPOINT where it is `bad` and has no good one. */
Status checkpoint_newest(const char *folder, bool quarantine, const char *lineage, char path[4096]);

/* What pruning leaves. */
typedef struct CheckpointKeep {
    int64_t newest;        /* so many good ones */
    const char *lineage;   /* of this branch; NULL: of any */
    int64_t best;          /* and so many of the best that are there, */
    const RunState *state; /* as this one ranks them; NULL: none */
} CheckpointKeep;

/* The rank of the state of that step among all that were evaluated: 0 the best; -1 where it has
 * none. */
int64_t checkpoint_rank(const RunState *state, int64_t step);

/* Removes the good files of the branch beyond those, sidecars without a file, and temporary files
 * left by this host's dead processes or by this process itself. What is of another branch, bad
 * (renamed .bad) or cannot be looked at stays and does not count; but 0 of any branch leaves none
 * at all. For the one process that writes the folder, between two writes. `gate` and `removed`, how
 * many checkpoints, may be NULL. */
Status checkpoint_prune(const char *folder, const CheckpointKeep *keep, const CheckpointGate *gate,
                        int64_t *removed);

/* Hash of params, running, ema, slots (by name), slow_running and peak, each in model-text order,
 * logical row-major, gaps left out, then the step as uint64, then the plateau where there is one,
 * then the factor on the learning rate where the run was rolled back. */
Status checkpoint_state_hash(const Checkpoint *checkpoint, uint64_t *hash);

/* Adds all that /state holds to a hash. Allocates nothing. */
void checkpoint_add_state(HashState *hash, const RunState *state);

#ifdef __cplusplus
}
#endif
#endif
