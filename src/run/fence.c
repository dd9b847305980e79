/* fence: see fence.h. */
#include "fence.h"

#include <pthread.h>
#include <stdlib.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/thread.h"

static const double LOOK_EVERY_S = 2;

struct Fence {
    Comm *comm;
    const RunDir *dir;
    double period; /* of the heartbeat, seconds */
    int64_t beats;
    double last_beat; /* on clock_now */
    bool faint;       /* the last one could not be written */
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

/* Where it cannot be written the run goes on: whether it is taken for dead is up to who comes. */
static void beat(Fence *fence) {
    bool faint = rundir_beat(fence->dir, ++fence->beats, fence->period) != ST_OK;
    fence->last_beat = clock_now();
    if (faint && !fence->faint)
        log_warn("%s: %s; a run on another host may take the directory", fence->dir->path,
                 status_message());
    fence->faint = faint;
    status_clear();
}

static void *fence_main(void *argument) {
    Fence *fence = argument;
    double pause = fence->period < LOOK_EVERY_S ? fence->period : LOOK_EVERY_S;
    pthread_mutex_lock(&fence->lock);
    while (!fence->stop) {
        pthread_mutex_unlock(&fence->lock);
        fence_check(fence->comm, fence->dir);
        /* the one that is due before the next look as well */
        if (fence->beats == 0 || clock_now() + pause > fence->last_beat + fence->period)
            beat(fence);
        pthread_mutex_lock(&fence->lock);
        Deadline next = deadline_after(pause);
        while (!fence->stop && !deadline_passed(&next))
            cond_wait_before(&fence->stopping, &fence->lock, &next);
    }
    pthread_mutex_unlock(&fence->lock);
    return NULL;
}

Status fence_start(Comm *comm, const RunDir *dir, double period, Fence **out) {
    Status status = ST_OK;
    Fence *fence = calloc(1, sizeof *fence);
    TRY_ALLOC(fence);
    fence->comm = comm;
    fence->dir = dir;
    fence->period = period;
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
