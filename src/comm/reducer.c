/* reducer: the thread that sums buckets over ranks. See reducer.h.
 *
 * `next` is the bucket the thread sums now or next; it only falls, so that every rank starts the
 * same bucket whatever the order of submission. A step is done when it is -1. The first failure is
 * kept for good: the ranks no longer agree on what has been summed, and the caller ends the run, or
 * goes on with another reducer. */
#include "lockstep/reducer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/data_plane.h"
#include "lockstep/thread.h"

struct Reducer {
    Comm *comm; /* borrowed */
    pthread_t thread;
    BucketMessage (*messages)[2]; /* [n][2], owned */
    int n;
    TraceRow *row; /* borrowed, or NULL */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* the thread waits: `next` is ready, or stop */
    pthread_cond_t done;  /* the main thread waits: next < 0 or failed */
    int64_t step;
    bool *ready; /* [n] submitted in this step */
    int next;
    bool stop;
    bool sums; /* the thread is in a bucket, without the lock */
    bool failed;
    double busy_s;        /* of this step */
    StatusRecord failure; /* where failed */
};

static Status reduce_bucket(Reducer *r, int b) {
    for (int part = 0; part < 2; part++) {
        const BucketMessage *m = &r->messages[b][part];
        if (m->count > 0)
            TRY(comm_reduce(r->comm, m->data, m->count, m->dtype, m->after, b));
    }
    return ST_OK;
}

/* Takes the lock held and gives it back held; releases it while it sums. */
static void work_off(Reducer *r) {
    int b = r->next;
    TraceAt at = {r->step, -1};
    r->sums = true;
    pthread_mutex_unlock(&r->lock);
    double start = clock_now();
    Status status = reduce_bucket(r, b);
    double busy = clock_now() - start;
    if (trace_keeps(r->row)) {
        char name[32];
        snprintf(name, sizeof name, "bucket %d", b);
        trace_span_until(r->row, "sum over ranks", name, at, start, start + busy);
        trace_flow(r->row, name, at, reducer_flow(at.step, b), false, start);
    }
    pthread_mutex_lock(&r->lock);
    r->busy_s += busy;
    r->sums = false;
    if (status != ST_OK) {
        status_take(&r->failure);
        r->failed = true;
    } else {
        r->next--;
    }
    if (r->failed || r->next < 0)
        pthread_cond_signal(&r->done);
}

static void *reducer_main(void *context) {
    Reducer *r = context;
    pthread_setname_np(pthread_self(), "reducer");
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        if (!r->failed && r->next >= 0 && r->ready[r->next])
            work_off(r);
        else
            pthread_cond_wait(&r->work, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static void reducer_free(Reducer *r) {
    pthread_cond_destroy(&r->done);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->lock);
    free(r->ready);
    free(r->messages);
    free(r);
}

Status reducer_start(Comm *comm, int n, const BucketMessage (*messages)[2], TraceRow *row,
                     Reducer **reducer) {
    Status status = ST_OK;
    Reducer *r = calloc(1, sizeof *r);
    TRY_ALLOC(r);
    status = cond_init_monotonic(&r->done);
    if (status != ST_OK) {
        free(r);
        return status;
    }
    /* With default attributes these cannot fail on Linux. */
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    r->comm = comm;
    r->n = n;
    r->row = row;
    r->next = -1;
    r->messages = calloc((size_t)n + 1, sizeof *r->messages);
    r->ready = calloc((size_t)n + 1, sizeof *r->ready);
    if (!r->messages || !r->ready) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    if (n > 0)
        memcpy(r->messages, messages, (size_t)n * sizeof *r->messages);
    int error = pthread_create(&r->thread, NULL, reducer_main, r);
    if (error)
        status = FAIL(ST_INTERNAL, "cannot start the reducer thread: %s", strerror(error));
done:
    if (status != ST_OK)
        reducer_free(r);
    else
        *reducer = r;
    return status;
}

void reducer_stop(Reducer *reducer) {
    if (!reducer)
        return;
    pthread_mutex_lock(&reducer->lock);
    reducer->stop = true;
    pthread_cond_signal(&reducer->work);
    pthread_mutex_unlock(&reducer->lock);
    pthread_join(reducer->thread, NULL);
    reducer_free(reducer);
}

void reducer_begin(Reducer *reducer, int64_t step) {
    pthread_mutex_lock(&reducer->lock);
    reducer->step = step;
    memset(reducer->ready, 0, (size_t)reducer->n * sizeof *reducer->ready);
    reducer->next = reducer->n - 1;
    reducer->busy_s = 0;
    pthread_mutex_unlock(&reducer->lock);
}

void reducer_submit(Reducer *reducer, int b) {
    pthread_mutex_lock(&reducer->lock);
    reducer->ready[b] = true;
    if (b == reducer->next)
        pthread_cond_signal(&reducer->work);
    pthread_mutex_unlock(&reducer->lock);
}

Status reducer_wait(Reducer *reducer, double *busy_s) {
    Status status = ST_OK;
    pthread_mutex_lock(&reducer->lock);
    while (!reducer->failed && reducer->next >= 0)
        cond_wait_briefly(&reducer->done, &reducer->lock);
    *busy_s = reducer->busy_s;
    if (reducer->failed)
        status = status_put(&reducer->failure);
    pthread_mutex_unlock(&reducer->lock);
    return status;
}

void reducer_abandon(Reducer *reducer) {
    pthread_mutex_lock(&reducer->lock);
    if (!reducer->failed)
        reducer->failure = (StatusRecord){.status = ST_LOST, .message = "a sum was abandoned"};
    reducer->failed = true;
    pthread_mutex_unlock(&reducer->lock);
    comm_revoke(reducer->comm);
    pthread_mutex_lock(&reducer->lock);
    while (reducer->sums)
        cond_wait_briefly(&reducer->done, &reducer->lock);
    pthread_mutex_unlock(&reducer->lock);
}
