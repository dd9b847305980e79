/* engine: streams of ops, and the thread that runs them.
 *
 * $SIMGPU_SCHEDULE chooses when an op runs:
 *   lazy      only when the host waits for it (the default): what a slow GPU does, and host code
 *             that does not wait sees old values
 *   eager     as soon as it may: what a fast GPU does
 *   random:N  each op is lazy or eager by chance (seed N), and the streams take turns by chance
 * The engine has a thread of its own, because a collective must proceed while the host waits in
 * MPI.
 *
 * Each op carries a vector clock: how many ops of each stream happened before it, through its
 * stream, the events it waited for, or what the host had seen when it enqueued the op. What one
 * host thread has seen counts for all of them. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cudart.h"

enum { POLLS_MAX = 16, IDLE_NS = 300000 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_once_t once;
    enum { LAZY, EAGER, RANDOM } schedule;
    unsigned seed;
    bool trace;
    Stream *stream[STREAMS_MAX];
    int streams;
    Clock host;    /* what the host knows to be done */
    int64_t spent; /* units of simulated time */
    struct {
        void (*call)(void *);
        void *arg;
    } poll[POLLS_MAX];
    int polls;
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .work = PTHREAD_COND_INITIALIZER,
            .done = PTHREAD_COND_INITIALIZER,
            .once = PTHREAD_ONCE_INIT};

void sim_lock(void) {
    pthread_mutex_lock(&engine.lock);
}

void sim_unlock(void) {
    pthread_mutex_unlock(&engine.lock);
}

void sim_cost(SimOp *op, int units) {
    op->cost = units;
}

SimTurn engine_nothing(SimOp *op, void *arg) {
    (void)op;
    (void)arg;
    return SIM_DONE;
}

static bool may_run(const SimOp *op) {
    if (engine.schedule != EAGER && !op->forced)
        return false;
    for (int i = 0; i < op->n_wait; i++) {
        if (!op->wait[i]->done)
            return false;
    }
    return true;
}

/* Runs the first op of a stream; false where it must be called again. */
static bool run_first(Stream *stream) {
    SimOp *op = stream->head;
    sim_unlock();
    SimTurn turn = op->run(op, op->arg);
    sim_lock();
    if (turn == SIM_AGAIN)
        return false;
    op->done = true;
    engine.spent += op->cost;
    op->done_at = engine.spent;
    stream->head = op->next;
    if (!stream->head)
        stream->tail = NULL;
    race_check(op);
    free(op->arg);
    op->arg = NULL;
    if (engine.trace)
        fprintf(stderr, "SIMGPU[%s] ran %s (stream %d, op %lu)\n", sim_rank(), op->name, stream->id,
                (unsigned long)op->number);
    pthread_cond_broadcast(&engine.done);
    return true;
}

static void idle(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += IDLE_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&engine.work, &engine.lock, &until);
}

static void *engine_main(void *unused) {
    (void)unused;
    sim_lock();
    for (;;) {
        for (int i = 0; i < engine.polls; i++)
            engine.poll[i].call(engine.poll[i].arg);
        bool progress = false;
        int start = engine.schedule == RANDOM ? rand_r(&engine.seed) % engine.streams : 0;
        for (int i = 0; i < engine.streams; i++) {
            Stream *stream = engine.stream[(start + i) % engine.streams];
            if (stream->head && may_run(stream->head))
                progress |= run_first(stream);
        }
        if (!progress)
            idle();
    }
    return NULL;
}

static void choose_schedule(void) {
    const char *text = getenv("SIMGPU_SCHEDULE");
    engine.trace = getenv("SIMGPU_TRACE") != NULL;
    if (!text || !strcmp(text, "lazy"))
        engine.schedule = LAZY;
    else if (!strcmp(text, "eager"))
        engine.schedule = EAGER;
    else if (!strncmp(text, "random:", 7))
        engine.schedule = RANDOM;
    else
        sim_report("SIMGPU_SCHEDULE=%s: lazy, eager or random:SEED", text);
    if (engine.schedule == RANDOM)
        engine.seed = (unsigned)atoi(text + 7) * 1000003u + (unsigned)atoi(sim_rank());
}

static void start(void) {
    pthread_t thread;
    choose_schedule();
    sim_lock();
    memory_start();
    pinned_start();
    engine_stream_new(true); /* the legacy default stream */
    if (pthread_create(&thread, NULL, engine_main, NULL) != 0)
        sim_report("no thread for the engine");
    pthread_detach(thread);
    sim_unlock();
}

void engine_start(void) {
    pthread_once(&engine.once, start);
}

/* A place in the clocks: a new one, or that of a destroyed stream all of whose work the host knows
 * to be done, so that nothing can race with it any more. */
static int free_place(void) {
    for (int i = 1; i < engine.streams; i++) {
        const Stream *old = engine.stream[i];
        if (old->destroyed && !old->head && (!old->last || engine_host_knows(old->last)))
            return i;
    }
    if (engine.streams == STREAMS_MAX)
        sim_report("more than %d streams", STREAMS_MAX);
    return engine.streams++;
}

Stream *engine_stream_new(bool blocking) {
    Stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        sim_report("out of host memory");
    stream->id = free_place();
    stream->blocking = blocking;
    const Stream *old = engine.stream[stream->id];
    stream->issued = old ? old->issued : 0;
    engine.stream[stream->id] = stream;
    return stream;
}

Stream *engine_stream(cudaStream_t stream) {
    if (stream == cudaStreamPerThread)
        sim_report("cudaStreamPerThread is not simulated");
    if (!stream || stream == cudaStreamLegacy)
        return engine.stream[0];
    for (int i = 0; i < engine.streams; i++) {
        if (engine.stream[i] == stream && !stream->destroyed)
            return stream;
    }
    sim_report("%p is not a stream, or was destroyed", (void *)stream);
}

int engine_streams(Stream *streams[STREAMS_MAX]) {
    memcpy(streams, engine.stream, sizeof engine.stream);
    return engine.streams;
}

void engine_wait_for(SimOp *op, SimOp *before) {
    if (!before || before->stream == op->stream)
        return;
    op->wait = realloc(op->wait, (size_t)(op->n_wait + 1) * sizeof(SimOp *));
    if (!op->wait)
        sim_report("out of host memory");
    op->wait[op->n_wait++] = before;
    clock_join(&op->clock, &before->clock);
    op->stream->clock = op->clock;
    if (op->forced)
        sim_force(before);
}

/* The default stream waits for the streams that block with it, and they for it. */
static void order_default(SimOp *op) {
    if (op->stream != engine.stream[0]) {
        engine_wait_for(op, engine.stream[0]->last);
        return;
    }
    for (int i = 1; i < engine.streams; i++) {
        if (engine.stream[i]->blocking)
            engine_wait_for(op, engine.stream[i]->last);
    }
}

SimOp *engine_add(Stream *stream, const char *name, SimRun run, const void *arg, size_t bytes) {
    SimOp *op = calloc(1, sizeof *op);
    void *own = malloc(bytes + 1);
    if (!op || !own)
        sim_report("out of host memory");
    if (bytes > 0)
        memcpy(own, arg, bytes);
    *op = (SimOp){.stream = stream,
                  .previous = stream->tail,
                  .number = ++stream->issued,
                  .clock = stream->clock,
                  .name = name,
                  .run = run,
                  .arg = own};
    clock_join(&op->clock, &engine.host);
    op->clock.at[stream->id] = op->number;
    stream->clock = op->clock;
    if (stream->blocking)
        order_default(op);
    if (stream->tail)
        stream->tail->next = op;
    else
        stream->head = op;
    stream->tail = stream->last = op;
    if (engine.schedule == RANDOM && rand_r(&engine.seed) % 2)
        sim_force(op);
    pthread_cond_signal(&engine.work);
    return op;
}

SimOp *sim_enqueue(cudaStream_t handle, const char *name, SimRun run, const void *arg,
                   size_t bytes) {
    Stream *stream = engine_stream(handle);
    if (stream->capture) {
        capture_add(stream, name, run, arg, bytes);
        return NULL;
    }
    sim_tally("call", 0);
    return engine_add(stream, name, run, arg, bytes);
}

bool sim_capturing(cudaStream_t handle) {
    return engine_stream(handle)->capture != NULL;
}

void sim_force(SimOp *op) {
    for (; op && !op->forced && !op->done; op = op->previous) {
        op->forced = true;
        for (int i = 0; i < op->n_wait; i++)
            sim_force(op->wait[i]);
    }
    pthread_cond_signal(&engine.work);
}

void engine_host_wait(SimOp *op) {
    if (!op)
        return;
    sim_force(op);
    while (!op->done)
        pthread_cond_wait(&engine.done, &engine.lock);
    engine_host_saw(op);
}

void engine_host_saw(SimOp *op) {
    if (!op)
        return;
    if (!engine_host_knows(op))
        sim_tally("wait", 0);
    clock_join(&engine.host, &op->clock);
    pinned_reopen();
}

bool engine_host_knows(const SimOp *op) {
    return op->number <= engine.host.at[op->stream->id];
}

bool engine_happened_before_all(const SimOp *op) {
    if (!engine_host_knows(op))
        return false;
    for (int i = 0; i < engine.streams; i++) {
        const SimOp *head = engine.stream[i]->head;
        if (head && head->clock.at[op->stream->id] < op->number)
            return false;
    }
    return true;
}

void sim_poll(void (*call)(void *), void *arg) {
    if (engine.polls == POLLS_MAX)
        sim_report("more than %d communicators", POLLS_MAX);
    engine.poll[engine.polls].call = call;
    engine.poll[engine.polls++].arg = arg;
}

void sim_unpoll(void *arg) {
    for (int i = 0; i < engine.polls; i++) {
        if (engine.poll[i].arg == arg)
            engine.poll[i] = engine.poll[--engine.polls];
    }
}
