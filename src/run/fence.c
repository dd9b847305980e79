/* fence: see fence.h. */
#include "fence.h"

#include <pthread.h>
#include <stdlib.h>

#include "lockstep/clock.h"
#include "lockstep/thread.h"

static const double LOOK_EVERY_S = 2;

struct Fence {
    Comm *comm;
    const RunDir *dir;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    bool stop; /* under lock */
};

/* There is nothing to agree on: the other ranks may be on nodes that cannot be reached any more. */
void fence_check(Comm *comm, const RunDir *dir) {
    if (!rundir_lost(dir))
        return;
    status_clear();
    comm_abort(comm, rundir_check(dir));
}

static void *fence_main(void *argument) {
    Fence *fence = argument;
    pthread_mutex_lock(&fence->lock);
    while (!fence->stop) {
        Deadline next = deadline_after(LOOK_EVERY_S);
        while (!fence->stop && !deadline_passed(&next))
            cond_wait_before(&fence->stopping, &fence->lock, &next);
        if (fence->stop)
            break;
        pthread_mutex_unlock(&fence->lock);
        fence_check(fence->comm, fence->dir);
        pthread_mutex_lock(&fence->lock);
    }
    pthread_mutex_unlock(&fence->lock);
    return NULL;
}

Status fence_start(Comm *comm, const RunDir *dir, Fence **out) {
    Status status = ST_OK;
    Fence *fence = calloc(1, sizeof *fence);
    TRY_ALLOC(fence);
    fence->comm = comm;
    fence->dir = dir;
    pthread_mutex_init(&fence->lock, NULL);
    TRY_DONE(cond_init_monotonic(&fence->stopping));
    if (pthread_create(&fence->thread, NULL, fence_main, fence) == 0) {
        *out = fence;
        return ST_OK;
    }
    pthread_cond_destroy(&fence->stopping);
    status = FAIL(ST_INTERNAL, "cannot start the thread that watches the run directory");
done:
    pthread_mutex_destroy(&fence->lock);
    free(fence);
    return status;
}

void fence_stop(Fence *fence) {
    if (!fence)
        return;
    pthread_mutex_lock(&fence->lock);
    fence->stop = true;
    pthread_cond_broadcast(&fence->stopping);
    pthread_mutex_unlock(&fence->lock);
    pthread_join(fence->thread, NULL);
    pthread_cond_destroy(&fence->stopping);
    pthread_mutex_destroy(&fence->lock);
    free(fence);
}
