/* lane: one lane of a step, from its images to its part of the sums. As backward goes on, finished
 * ranges of its gradient are added to the rank's buckets. A stream that runs by itself is waited
 * for once, behind the thread's last lane of the step: then its lanes' results are counted, and
 * their batches given back. Local. */
#ifndef LOCKSTEP_ENGINE_LANE_H
#define LOCKSTEP_ENGINE_LANE_H

#include <stdatomic.h>

#include "grad_sum.h"
#include "lockstep/loader.h"
#include "lockstep/session.h"

/* What takes a lane from its images to its part of the sums. */
typedef enum LanePhase {
    LANE_FORWARD,
    LANE_FORWARD_ON, /* from one op over the whole step to the next */
    LANE_BACKWARD,
    LANE_BACKWARD_ON,
    LANE_END
} LanePhase;

/* Where a lane's backward stands: the next bucket to add, counted down. */
typedef struct LaneBuckets {
    GradSum *sum;
    Worker *worker;
    LaneGradient gradient;
    TraceAt at;
    int next;
} LaneBuckets;

/* What a lane comes to besides its gradient, on its way to the host. */
typedef struct LaneResult {
    struct LaneResult *next; /* of the same worker */
    Batch *batch;
    float *loss;        /* [largest training batch] */
    int32_t *predicted; /* [largest training batch] */
} LaneResult;

/* A lane of the step in its room. */
typedef struct LaneTask {
    Worker *worker;
    LaneRoom *room;
    int64_t lane, images;
    Batch *batch;
    LaneResult *result;
    Executor *executor; /* NULL: the lane has no images in this step */
    LaneRun run;
    LaneBuckets buckets;
} LaneTask;

/* A step, and what its lanes on this rank come to. Lent: what they work with. */
typedef struct LanesStep {
    Session *session;
    GradSum *sum;
    Loader *loader;
    LaneResult *results; /* [lanes of this rank] */
    int64_t step, epoch;
    int64_t images;    /* of the step over all lanes */
    bool nan;          /* losses become NaN */
    bool slow;         /* lanes take three times as long */
    bool hang;         /* no forward pass comes to its end */
    atomic_llong next; /* lane of this rank */
    atomic_llong loss, correct, lane_images, bad;
    atomic_ullong samples;
    double waited_s;     /* for sums in the middle */
    atomic_llong weight; /* as TAIL_WEIGHT */
} LanesStep;

/* Brings a lane through a phase. */
Status lane_advance(LanesStep *step, LaneTask *task, LanePhase phase);

/* Tells a trace what a lane has done since `start`. */
void lane_trace(const LaneTask *task, double start);

/* A compute thread before its first lane of a step, and behind its last one, which waits for its
 * stream. */
Status lane_begin_worker(const LanesStep *step, Worker *worker);
Status lane_end_worker(LanesStep *step, Worker *worker);

#endif
