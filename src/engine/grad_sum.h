/* grad_sum: the sum of lane gradients within a rank, bucket by bucket, and what travels with it.
 *
 * A lane's finished gradient range is added to its bucket under the bucket's lock: as fixed-point
 * integers (exact), whose sum does not depend on the order in which lanes arrive, or as reals
 * (native), which may travel as bfloat16: converted once, when the rank's sum is complete, and back
 * when all buckets have come. The lock orders the calls; where lanes are on streams that run by
 * themselves, a mark orders the additions as well, and the bucket's message waits for it. A bucket
 * to which all lanes of the rank have added goes to the reducer, while lanes still compute earlier
 * layers.
 *
 * The tail stands before bucket 0, the last one of a step: control words and batch-norm statistics,
 * so that what one rank knows all know in the same step. */
#ifndef LOCKSTEP_ENGINE_GRAD_SUM_H
#define LOCKSTEP_ENGINE_GRAD_SUM_H

#include <pthread.h>

#include "lockstep/config.h"
#include "lockstep/exact_sum.h"
#include "lockstep/grouping.h"
#include "lockstep/model.h"
#include "lockstep/reducer.h"

/* Summed over ranks in the tail. */
typedef enum TailWord {
    TAIL_LOSS,    /* fixed_loss */
    TAIL_CORRECT, /* images whose class was predicted */
    TAIL_IMAGES,
    TAIL_BAD,   /* NaN or out-of-range gradients, statistics or losses */
    TAIL_STOP,  /* ranks that were asked to stop */
    TAIL_ERROR, /* ranks with trouble of their own that can be agreed on */
    TAIL_SAVE,  /* ranks that ask for a checkpoint: rank 0, by its clock */
    /* the ledger's sum of the images (ledger.h), in halves of 32 bits, so that no sum wraps */
    TAIL_SAMPLES_LOW,
    TAIL_SAMPLES_HIGH,
    TAIL_WORDS = 16
} TailWord;

typedef struct GradSum {
    Device *device;
    bool exact;
    FixedPoint gradient, statistics;
    int64_t flat, running_flat;
    /* Set by the stepper: [groups + 1] whose gradients may be anything in this step; NULL:
     * nobody's. Borrowed. */
    const bool *frozen;
    const Grouping *grouping; /* where there are such */
    int64_t tail;             /* elements before bucket 0: words, statistics, padding */
    int64_t *fixed;           /* device memory: [tail + flat], native [tail] */
    void *real;               /* device memory: native [flat], else NULL */
    uint16_t *half; /* device memory: [flat] bfloat16 where that is what travels, else NULL */
    int buckets;
    int64_t *begin;        /* [buckets + 1] ranges of the flat gradient */
    pthread_mutex_t *lock; /* [buckets] */
    /* [buckets] behind the last addition; NULL where the order of calls is enough (DeviceOps.mark)
     */
    Mark **mark;
    int *arrived;      /* [buckets] lanes that have added in this step */
    int stats_arrived; /* under lock[0] */
    int expected;      /* lanes of this rank with images in this step */
    int64_t *staged;   /* host [tail]: the tail after the step */
    Reducer *reducer;
} GradSum;

/* `row`: of the reducer's thread in a trace, or NULL. */
Status grad_sum_open(GradSum *sum, Comm *comm, Device *device, const Model *model,
                     const RunConfig *config, TraceRow *row);
void grad_sum_close(GradSum *sum); /* accepts a zeroed struct */

/* Opens a step to which `lanes` lanes of this rank will add. Main thread. */
Status grad_sum_begin(GradSum *sum, Stream *stream, int64_t step, int lanes);

/* Adds range `bucket` of a lane's flat gradient. Compute threads. bad[0] as in DeviceOps.to_fixed;
 * bad[1] likewise, of what is frozen. *complete: this was the last lane, and the bucket has gone to
 * the reducer, but for bucket 0. */
Status grad_sum_add(GradSum *sum, Stream *stream, int bucket, const void *gradient, int64_t *bad,
                    bool *complete);

/* Adds a lane's batch statistics, weighted by its share of the step's images. */
Status grad_sum_add_stats(GradSum *sum, Stream *stream, const void *stats, double weight,
                          int64_t *bad);

/* After all lanes: this rank's control words go into the tail and bucket 0 leaves. Main thread. */
Status grad_sum_finish(GradSum *sum, Stream *stream, const int64_t words[TAIL_WORDS]);

/* Waits for all sums; the tail is then in sum->staged. *busy_s as in reducer_wait. */
Status grad_sum_wait(GradSum *sum, Stream *stream, double *busy_s);

/* Gradient element range as the optimizer wants it: one of the two is set. */
void grad_sum_at(const GradSum *sum, int64_t offset, const int64_t **fixed, const void **real);

/* What an element of the sum is multiplied by to be the gradient. */
double grad_sum_unit(const GradSum *sum);

/* Elements [from, from + count) of the gradient to the host, once grad_sum_wait has come back and
 * until the next step begins. */
Status grad_sum_get(const GradSum *sum, Stream *stream, int64_t from, int64_t count,
                    double *gradient);

#endif
