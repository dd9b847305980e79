/* kept: lanes' gradients that stay in an accelerator's memory until those of the whole rank are
 * there, bucket by bucket, and the stream on which a bucket is then summed in one pass: beside the
 * lanes, which go on. Local.
 *
 * A lane's stream marks each bucket that is complete; of the lanes of one worker, which are on one
 * stream, the last mark counts. Whoever brings the last lane of a bucket has all marks behind it:
 * the counter that says so orders them (GradSum.added). */
#ifndef LOCKSTEP_ENGINE_KEPT_H
#define LOCKSTEP_ENGINE_KEPT_H

#include <pthread.h>
#include <stdbool.h>

#include "lockstep/device.h"

typedef struct Kept {
    Device *device; /* borrowed; NULL: nothing is kept */
    int workers, buckets;
    pthread_mutex_t lock; /* of the stream's calls */
    Stream *stream;
    Mark **mark; /* [workers][buckets] */
    /* Of this step, by the lane's index in the rank; NULL: no images. A lane writes its own. */
    const void *value[TERMS_MAX];
    void *peak[TERMS_MAX];
    bool works[TERMS_MAX]; /* [workers] has brought a lane in this step */
} Kept;

/* For up to TERMS_MAX lanes of so many workers. */
Status kept_open(Kept *kept, Device *device, int workers, int buckets);
void kept_close(Kept *kept); /* accepts a zeroed struct, and what could not be opened */

/* A step begins; what is enqueued on the stream comes after `begun`. Main thread. */
Status kept_begin(Kept *kept, Mark *begun);

/* Before the first bucket of lane `index`. Its worker's thread. */
void kept_begin_lane(Kept *kept, int index, int worker, const void *value, void *peak);

/* The lane's bucket is complete behind all that is enqueued on `stream`. Its worker's thread. */
Status kept_bring(Kept *kept, Stream *stream, int worker, int bucket);

/* What is enqueued on the stream comes after all lanes' bucket. Under the lock, of the last one. */
Status kept_gather(const Kept *kept, int bucket);

/* The gradients of all lanes, in the order of their index. */
void kept_terms(const Kept *kept, Terms *terms);

/* Their largest sizes, as terms. */
void kept_peaks(const Kept *kept, Terms *terms);

#endif
