/* grad_sum: the sum of lane gradients within a rank, bucket by bucket, and what travels with it.
 *
 * A lane's finished gradient range is added to its bucket piece by piece, under each piece's lock
 * (pieces.h): as fixed-point integers (exact), whose sum does not depend on the order in which
 * lanes arrive, or as reals (native), which may travel as bfloat16: converted once, when the rank's
 * sum is complete, and back when all buckets have come. With exact32 the last lane's addition
 * leaves the sum as int32, which is what travels; what does not fit is seen by all in the tail, and
 * travels again as int64 (exact_sum.h). The lock orders the calls; where lanes are on streams that
 * run by themselves, a mark orders the additions as well, and the bucket's message waits for it. A
 * bucket to which all lanes of the rank have added goes to the reducer, while lanes still compute
 * earlier layers.
 *
 * Where a device keeps the gradients of all lanes of the rank (kept.h), the last lane to come to a
 * bucket has all of them summed in one pass, on a stream beside the lanes'. The bits are the same.
 *
 * Exact sums of ranks on one host are one sum, in memory that they share (share.h): all of them add
 * there, and nothing travels between them. It is of the step that began last: a rank adds once all
 * others have begun, so are done with the step before. What is first to come to a bucket in a step
 * assigns; a rank brings a bucket when its own lanes have added.
 *
 * The tail stands before bucket 0, the last one of a step: control words, batch-norm statistics
 * and, with exact32, the largest gradient of each parameter, so that what one rank knows all know
 * in the same step. */
#ifndef LOCKSTEP_ENGINE_GRAD_SUM_H
#define LOCKSTEP_ENGINE_GRAD_SUM_H

#include <stdatomic.h>

#include "lockstep/config.h"
#include "lockstep/exact_sum.h"
#include "lockstep/grouping.h"
#include "lockstep/model.h"
#include "lockstep/reducer.h"
#include "lockstep/share.h"
#include "kept.h"
#include "pieces.h"

/* Summed over ranks in the tail. */
typedef enum TailWord {
    TAIL_LOSS,    /* fixed_loss */
    TAIL_WEIGHT,  /* of the images' classes, times WEIGHT_ONE (fixed_loss); 0: they have none */
    TAIL_CORRECT, /* images whose class was predicted */
    TAIL_IMAGES,
    TAIL_BAD,   /* NaN or out-of-range gradients, statistics or losses */
    TAIL_STOP,  /* ranks that were asked to stop */
    TAIL_ERROR, /* ranks with trouble of their own that can be agreed on */
    TAIL_SAVE,  /* ranks that ask for a checkpoint: rank 0, by its clock */
    /* the ledger's sum of the images (ledger.h), in halves of 32 bits, so that no sum wraps */
    TAIL_SAMPLES_LOW,
    TAIL_SAMPLES_HIGH,
    TAIL_CALLS_LOW, /* 31 bits each of comm_calls, which are the same on all ranks */
    TAIL_CALLS_HIGH,
    TAIL_LANE_NS, /* StepTimes in whole nanoseconds, of one rank a step */
    TAIL_WAITED_NS,
    TAIL_SENT, /* those above are a rank's to set; those below a device counts as it sums */
    TAIL_BAD_KEPT = TAIL_SENT, /* as TAIL_BAD, where gradients are kept (kept.h) */
    TAIL_FROZEN_KEPT,          /* the same of what is frozen, which is nobody's trouble */
    TAIL_WORDS = 16
} TailWord;

/* Of TAIL_WEIGHT: what the weight 1 is. */
enum { WEIGHT_ONE = 1 << 13 };

/* Of a piece in shared memory, in place of Piece.lock. */
typedef struct SharedPiece {
    _Alignas(64) ShareLock lock;
    uint32_t step; /* under the lock: the last one in which something was added */
} SharedPiece;

/* At the beginning of shared memory; then the pieces, then `fixed`. */
typedef struct SharedSum {
    ShareCount begun;   /* a round a step */
    uint32_t tail_step; /* under the lock of the first piece: as SharedPiece.step */
    SharedPiece piece[];
} SharedSum;

/* What a compute thread has of the lane in progress. Device memory, borrowed. */
typedef struct LaneGradient {
    int64_t lane;      /* of the run */
    int index, worker; /* of the lane in the rank, and whose stream it is on: where it is kept */
    const void *value; /* [flat real] */
    int64_t *bad;      /* [2] as in DeviceOps.to_fixed; bad[1] likewise, of what is frozen */
    double *waited_s;  /* grows by the time waited for other ranks of the host */
    void *peak;        /* [n_params real] exact32: largest sizes so far; else not looked at */
} LaneGradient;

typedef struct GradSum {
    Device *device;
    Share *share;       /* borrowed; NULL: this rank's sum is its own */
    SharedSum *shared;  /* NULL likewise */
    uint32_t steps;     /* begun, the same on all ranks */
    Comm *comm;         /* borrowed */
    const Model *model; /* borrowed */
    bool exact;         /* integers are summed: exact, exact32 */
    bool shifted;       /* exact32 */
    int64_t lanes;      /* of the run */
    FixedPoint gradient, statistics;
    int64_t flat, running_flat;
    /* Set by the stepper: [groups + 1] whose gradients may be anything in this step; NULL:
     * nobody's. Borrowed. */
    const bool *frozen;
    const Grouping *grouping; /* where there are such */
    /* Set by the stepper before anyone looks at the step's gradient: images / sum of their classes'
     * weights; 1 without weights. */
    double per_weight;
    /* Elements before bucket 0: words, statistics, exact32: one a parameter (fixed_fits), padding
     */
    int64_t tail;
    int64_t *fixed; /* device memory: [tail + flat], native [tail] */
    void *real;     /* device memory: native [flat], else NULL */
    uint16_t *half; /* device memory: [flat] bfloat16 where that is what travels, else NULL */
    /* device memory: exact32 on more than one rank: [flat], what travels, else NULL */
    int32_t *low;
    /* device memory: exact32, and where gradients are kept: [flat / SHIFT_BLOCK], Shifts.param */
    int32_t *param_of;
    TermParam *term_param; /* device memory: [n_params] of what is kept; NULL: all as they are */
    int8_t *shift;         /* host: exact32: [n_params] of this step, and in device memory: */
    int8_t *device_shift;  /* likewise */
    void *no_peak;         /* host: exact32: [n_params real] zeros */
    int resummed;          /* buckets of the step that travelled again, as int64 */
    int buckets;
    int64_t *begin; /* [buckets + 1] ranges of the flat gradient */
    Pieces pieces;  /* of the buckets; where there are marks, a bucket is one */
    /* [buckets] behind the last addition; NULL where the order of calls is enough (DeviceOps.mark)
     */
    Mark **mark;
    Kept kept;         /* where a lane's gradient stays (grad_sum_keep) */
    int64_t kept_bad;  /* host, with the tail: TAIL_BAD_KEPT of this rank alone */
    atomic_int *added; /* [buckets] lanes that have added all of the bucket in this step */
    int stats_arrived; /* under the first piece's lock */
    int expected;      /* lanes of this rank with images in this step */
    int64_t *staged;   /* host [tail]: the tail after the step */
    Reducer *reducer;
} GradSum;

/* Where element `offset` of a flat array of reals is. */
static inline void *grad_sum_element(const GradSum *sum, void *real, int64_t offset) {
    return (char *)real + (size_t)offset * dtype_size(sum->device->real);
}

/* Bytes that share_open is to be asked for; 0: these sums cannot be shared. */
size_t grad_sum_shared_bytes(const Device *device, const Model *model, const RunConfig *config);

/* `share`: memory of so many bytes, or NULL. `row`: of the reducer's thread in a trace, or NULL. */
Status grad_sum_open(GradSum *sum, Comm *comm, Share *share, Device *device, const Model *model,
                     const RunConfig *config, TraceRow *row);

/* Lanes' gradients are kept (kept.h) from now on, those of `workers` streams, in the forms
 * form[n_params]. */
Status grad_sum_keep(GradSum *sum, int workers, const TermForm *form);
void grad_sum_close(GradSum *sum); /* accepts a zeroed struct */

/* Opens a step to which `lanes` lanes of this rank will add. `peak`: exact32: [n_params] from the
 * steps before (fixed_shift), else not looked at. Main thread. */
Status grad_sum_begin(GradSum *sum, Stream *stream, int64_t step, int lanes, const int64_t *peak);

/* Before the first addition of a lane. Compute threads. */
Status grad_sum_begin_lane(GradSum *sum, Stream *stream, const LaneGradient *lane);

/* Adds range `bucket` of a lane's flat gradient. Compute threads. *complete: this was the last
 * lane, and the bucket has gone to the reducer, but for bucket 0. */
Status grad_sum_add(GradSum *sum, Stream *stream, int bucket, const LaneGradient *lane,
                    bool *complete);

/* After a lane's last addition: what it has for the tail. `stats`: its batch statistics, weighted
 * by its share of the step's images. Compute threads. */
Status grad_sum_end_lane(GradSum *sum, Stream *stream, const LaneGradient *lane, const void *stats,
                         double weight);

/* After all lanes: this rank's control words go into the tail and bucket 0 leaves. Main thread. */
Status grad_sum_finish(GradSum *sum, Stream *stream, const int64_t words[TAIL_WORDS]);

/* The two halves of what follows where nothing is to be done with the tail in between: the sums are
 * enqueued, or done, on all ranks, Collective; and the tail's way to sum->staged is enqueued. */
Status grad_sum_settle(GradSum *sum, Stream *stream, double *busy_s);
Status grad_sum_fetch(GradSum *sum, Stream *stream);

/* Waits for all sums; the tail is then in sum->staged. *busy_s as in reducer_wait. Collective. */
Status grad_sum_wait(GradSum *sum, Stream *stream, double *busy_s);

/* A rank was lost in the step: as reducer_abandon. Local. */
void grad_sum_abandon(GradSum *sum);

/* exact32: peak[n_params] after a step that was not bad; else does nothing. */
void grad_sum_follow(const GradSum *sum, int64_t *peak);

/* Gradient element range as the optimizer wants it: one of the two is set. */
void grad_sum_at(const GradSum *sum, int64_t offset, const int64_t **fixed, const void **real);

/* What an element of the sum is multiplied by to be the gradient. */
double grad_sum_unit(const GradSum *sum);

/* Elements [from, from + count) of the gradient to the host, once grad_sum_wait has come back and
 * until the next step begins. */
Status grad_sum_get(const GradSum *sum, Stream *stream, int64_t from, int64_t count,
                    double *gradient);

#endif
