/* reducer: sums finished buckets over ranks on a thread of its own, while lanes still compute.
 *
 * Buckets are numbered in flat order and submitted in any order; they are started in descending
 * order (the order in which backward completes them), the same on every rank. With one rank the
 * thread only passes them through. submit is thread-safe, the rest is for the main thread. */
#ifndef LOCKSTEP_REDUCER_H
#define LOCKSTEP_REDUCER_H

#include "lockstep/comm.h"
#include "lockstep/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Reducer Reducer;

/* One message: `data`[count]. Two parts allow a tail of another type: the second may be empty. */
typedef struct BucketMessage {
    void *data;
    int64_t count;
    DType dtype; /* of comm_reduce */
    void *after; /* NULL, or the device's Mark behind the work that completes `data` */
} BucketMessage;

/* `messages`[n][2] is copied; message [b][1] goes right after [b][0] and may have count 0. `row`:
 * where the thread tells what it does, or NULL. Local. */
Status reducer_start(Comm *comm, int n, const BucketMessage (*messages)[2], TraceRow *row,
                     Reducer **reducer);
void reducer_stop(Reducer *reducer); /* accepts NULL */

/* Opens a step: all buckets are outstanding. */
void reducer_begin(Reducer *reducer, int64_t step);

/* What identifies the arrow of a trace from the lane that completes a bucket to its reduction. */
static inline int64_t reducer_flow(int64_t step, int bucket) {
    return (step << 20) + bucket;
}

/* Bucket `b` of this rank is complete. Local, thread-safe, does not wait. */
void reducer_submit(Reducer *reducer, int b);

/* Waits until every bucket of the step is summed (the deadline is comm_reduce's). On return *busy_s
 * is the time the thread spent in reductions. The caller measures how long it waited: the exposed
 * part. */
Status reducer_wait(Reducer *reducer, double *busy_s);

/* This rank has come to ST_LOST: no bucket is begun any more, and the one that is under way comes
 * back (comm_revoke). On return the thread is in no sum, so that communicators and buckets may go.
 * Local. */
void reducer_abandon(Reducer *reducer);

#ifdef __cplusplus
}
#endif
#endif
