/* writer: checkpoints written on a thread of their own. See writer.h.
 *
 * One copy of the state belongs to whoever `busy` says: false, to the training thread that may fill
 * it; true, to the writer's thread that writes it. Both change `busy` under the lock, so the
 * copying and the writing themselves need none. */
#include "lockstep/writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "lockstep/log.h"
#include "lockstep/thread.h"

enum { FAILURES_MAX = 2 };

struct Writer {
    char folder[4096], local[4096]; /* local "": none */
    const char *target;             /* one of them: where the copy goes */
    int64_t keep, keep_best;
    WriterHooks hooks;
    Checkpoint copy; /* arrays and history are ours, the rest borrowed */
    int64_t history_room;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* busy or stop changed */
    bool busy, stop;
    bool owed;             /* the copy is one of the best so far, and could not be written */
    bool crowded;          /* older files could not be removed; the thread's own */
    int failures;          /* in a row */
    int64_t written;       /* writes that have succeeded */
    double write_s, cpu_s; /* of the last of them */
    StatusRecord last;     /* of the last write */
    char committed[4096];  /* path of the last file; "": none */
};

static bool is_best(const RunState *state) {
    return state->best_step == state->step;
}

static bool is_among_best(const Writer *writer) {
    int64_t rank = checkpoint_rank(&writer->copy.state, writer->copy.state.step);
    return rank >= 0 && rank < writer->keep_best;
}

/* The copy is on disk, whatever fails after that. */
static void note_committed(Writer *writer, const char *name) {
    pthread_mutex_lock(&writer->lock);
    snprintf(writer->committed, sizeof writer->committed, "%.4000s/%s", writer->target, name);
    pthread_mutex_unlock(&writer->lock);
}

static Status remove_older(const Writer *writer, const CheckpointGate *gate) {
    const WriterHooks *hooks = &writer->hooks;
    const CheckpointKeep keep = {.newest = writer->keep,
                                 .lineage = writer->copy.lineage,
                                 .best = writer->keep_best,
                                 .state = &writer->copy.state};
    TRY(checkpoint_prune(writer->target, &keep, gate, NULL));
    return hooks->lasts && writer->target == writer->folder ? hooks->lasts(hooks->context) : ST_OK;
}

/* Older files that stay make no write a failed one: the next one tries again. A folder that is
 * another's does. */
static Status judge_removal(Writer *writer, Status status, const CheckpointGate *gate) {
    StatusRecord record;
    bool warned = writer->crowded;
    writer->crowded = status != ST_OK;
    if (status == ST_OK)
        return ST_OK;
    status_take(&record);
    TRY(checkpoint_ask(gate));
    if (!warned)
        log_warn("%s; the checkpoint is written, but older ones stay: trying again after the next",
                 record.message);
    return ST_OK;
}

static Status write_one(Writer *writer) {
    const WriterHooks *hooks = &writer->hooks;
    CheckpointGate gate = {hooks->allowed, hooks->context};
    int64_t step = writer->copy.state.step;
    char name[CHECKPOINT_FILE_NAME];
    if (hooks->fetch)
        TRY(hooks->fetch(hooks->context, &writer->copy));
    if (hooks->before)
        TRY(hooks->before(hooks->context, step));
    TRY(checkpoint_write(writer->target, &writer->copy, &gate, NULL));
    checkpoint_file_name(step, name);
    note_committed(writer, name);
    if (hooks->after)
        TRY(hooks->after(hooks->context, step, name, is_best(&writer->copy.state)));
    return judge_removal(writer, remove_older(writer, &gate), &gate);
}

static void *writer_main(void *argument) {
    Writer *writer = argument;
    pthread_setname_np(pthread_self(), "writer");
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (!writer->busy && !writer->stop)
            pthread_cond_wait(&writer->changed, &writer->lock);
        if (!writer->busy)
            break;
        pthread_mutex_unlock(&writer->lock);
        StatusRecord record = {0};
        double start = trace_now(writer->hooks.row), began = clock_running(), cpu = clock_thread();
        Status written = write_one(writer);
        trace_span(writer->hooks.row, "checkpoint", "write checkpoint",
                   (TraceAt){writer->copy.state.step, -1}, start);
        if (written != ST_OK) {
            if (writer->hooks.failed)
                writer->hooks.failed(writer->hooks.context);
            status_take(&record);
        }
        /* Only this thread changes `failures`; a slow terminal must not hold the lock. */
        if (record.status != ST_OK && writer->failures == 0)
            log_warn("%s; trying again at the next checkpoint", record.message);
        pthread_mutex_lock(&writer->lock);
        writer->failures = record.status == ST_OK ? 0 : writer->failures + 1;
        writer->owed = record.status != ST_OK && is_among_best(writer);
        writer->last = record;
        if (record.status == ST_OK) {
            writer->written++;
            writer->write_s = clock_running() - began;
            writer->cpu_s = clock_thread() - cpu;
        }
        writer->busy = false;
        pthread_cond_broadcast(&writer->changed);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* Waits, with the lock held, until the writer's thread is idle. */
static Status wait_idle(Writer *writer, const Deadline *deadline) {
    while (writer->busy && !deadline_passed(deadline))
        cond_wait_before(&writer->changed, &writer->lock, deadline);
    if (!writer->busy)
        return ST_OK;
    return FAIL(ST_DEADLINE,
                "the checkpoint of step %" PRId64
                " was not written to %s within %g s: the file system does not answer, or is too "
                "slow for --deadline",
                writer->copy.state.step, writer->target, deadline->seconds);
}

static float *copy_of(const float *shape, int64_t count, bool *failed) {
    if (!shape)
        return NULL;
    float *copy = calloc((size_t)(count > 0 ? count : 1), sizeof *copy);
    *failed = *failed || !copy;
    return copy;
}

/* The first slot that has the buffer of slot i. */
static int first_of(const Checkpoint *shape, int i) {
    int first = 0;
    while (shape->slot[first] != shape->slot[i])
        first++;
    return first;
}

static Status allocate(Writer *writer, const Checkpoint *shape) {
    const Model *model = shape->model;
    bool failed = false;
    writer->copy.weight = copy_of(shape->weight, model->flat, &failed);
    writer->copy.running = copy_of(shape->running, model->running_flat, &failed);
    writer->copy.ema = copy_of(shape->ema, model->flat, &failed);
    writer->copy.slow_running = copy_of(shape->slow_running, model->running_flat, &failed);
    if (shape->peak) {
        writer->copy.peak = calloc((size_t)model->n_params + 1, sizeof *writer->copy.peak);
        failed = failed || !writer->copy.peak;
    }
    writer->copy.n_slots = shape->n_slots;
    for (int i = 0; i < shape->n_slots; i++) {
        int first = first_of(shape, i);
        writer->copy.slot[i] =
            first < i ? writer->copy.slot[first] : copy_of(shape->slot[i], model->flat, &failed);
    }
    return failed
               ? FAIL(ST_INTERNAL, "out of memory for the copy that checkpoints are written from")
               : ST_OK;
}

static void release(Writer *writer) {
    free(writer->copy.weight);
    free(writer->copy.running);
    free(writer->copy.ema);
    free(writer->copy.slow_running);
    free(writer->copy.peak);
    for (int i = 0; i < writer->copy.n_slots; i++) {
        if (first_of(&writer->copy, i) == i)
            free(writer->copy.slot[i]);
    }
    free(writer->copy.state.history);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

Status writer_start(const char *folder, const char *local, int64_t keep, int64_t keep_best,
                    const Checkpoint *shape, WriterHooks hooks, Writer **out) {
    Status status = ST_OK;
    bool have_cond = false;
    Writer *writer = calloc(1, sizeof *writer);
    TRY_ALLOC(writer);
    pthread_mutex_init(&writer->lock, NULL);
    snprintf(writer->folder, sizeof writer->folder, "%s", folder);
    snprintf(writer->local, sizeof writer->local, "%s", local ? local : "");
    writer->target = writer->folder;
    writer->keep = keep;
    writer->keep_best = keep_best;
    writer->hooks = hooks;
    TRY_DONE(allocate(writer, shape));
    TRY_DONE(cond_init_monotonic(&writer->changed));
    have_cond = true;
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        status = FAIL(ST_INTERNAL, "cannot start the thread that writes checkpoints");
        goto done;
    }
    *out = writer;
    return ST_OK;
done:
    if (have_cond)
        pthread_cond_destroy(&writer->changed);
    release(writer);
    return status;
}

static void copy_array(float *to, const float *from, int64_t count) {
    if (to)
        memcpy(to, from, (size_t)count * sizeof *to);
}

static void copy_arrays(const Checkpoint *to, const Checkpoint *from) {
    const Model *model = from->model;
    copy_array(to->weight, from->weight, model->flat);
    copy_array(to->running, from->running, model->running_flat);
    copy_array(to->ema, from->ema, model->flat);
    for (int i = 0; i < to->n_slots; i++)
        copy_array(to->slot[i], from->slot[i], model->flat);
}

/* Fills the copy, or all of it but what `fetch` will; the writer's thread is idle. */
static Status fill(Writer *writer, const Checkpoint *from) {
    Checkpoint own = writer->copy;
    HistoryEntry *history = own.state.history;
    int64_t n = from->state.n_history;
    if (n > writer->history_room) {
        history = realloc(history, (size_t)(2 * n) * sizeof *history);
        TRY_ALLOC(history);
        writer->copy.state.history = history;
        writer->history_room = 2 * n;
    }
    if (n > 0)
        memcpy(history, from->state.history, (size_t)n * sizeof *history);
    if (writer->hooks.take)
        TRY(writer->hooks.take(writer->hooks.context));
    else
        copy_arrays(&own, from);
    copy_array(own.slow_running, from->slow_running, from->model->running_flat);
    if (own.peak)
        memcpy(own.peak, from->peak, (size_t)from->model->n_params * sizeof *own.peak);
    writer->copy = *from;
    writer->copy.peak = own.peak;
    writer->copy.slow_running = own.slow_running;
    writer->copy.weight = own.weight;
    writer->copy.running = own.running;
    writer->copy.ema = own.ema;
    writer->copy.n_slots = own.n_slots;
    memcpy(writer->copy.slot, own.slot, sizeof own.slot);
    writer->copy.state.history = history;
    return ST_OK;
}

/* Gives the copy to the writer's thread, with the lock held. */
static void hand_over(Writer *writer) {
    writer->busy = true;
    pthread_cond_broadcast(&writer->changed);
}

Status writer_snapshot(Writer *writer, const Checkpoint *checkpoint, bool lasting,
                       const Deadline *deadline) {
    pthread_mutex_lock(&writer->lock);
    Status status = wait_idle(writer, deadline);
    if (status == ST_OK && writer->owed) { /* no later state can stand in for one of the best */
        hand_over(writer);
        status = wait_idle(writer, deadline);
    }
    if (status == ST_OK)
        status = fill(writer, checkpoint);
    if (status == ST_OK) {
        writer->target = lasting || !writer->local[0] ? writer->folder : writer->local;
        hand_over(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return status;
}

Status writer_flush(Writer *writer, const Deadline *deadline) {
    pthread_mutex_lock(&writer->lock);
    Status status = wait_idle(writer, deadline);
    if (status == ST_OK && writer->last.status != ST_OK)
        status = status_put(&writer->last);
    pthread_mutex_unlock(&writer->lock);
    return status;
}

Status writer_failed(Writer *writer) {
    Status status = ST_OK;
    pthread_mutex_lock(&writer->lock);
    if (writer->failures >= FAILURES_MAX)
        status = status_put(&writer->last);
    pthread_mutex_unlock(&writer->lock);
    return status;
}

int64_t writer_written(Writer *writer, double *seconds, double *cpu) {
    pthread_mutex_lock(&writer->lock);
    int64_t written = writer->written;
    *seconds = writer->write_s;
    *cpu = writer->cpu_s;
    pthread_mutex_unlock(&writer->lock);
    return written;
}

bool writer_is_busy(Writer *writer) {
    pthread_mutex_lock(&writer->lock);
    bool busy = writer->busy;
    pthread_mutex_unlock(&writer->lock);
    return busy;
}

void writer_forget(Writer *writer) {
    pthread_mutex_lock(&writer->lock);
    writer->owed = false;
    writer->committed[0] = '\0';
    pthread_mutex_unlock(&writer->lock);
}

void writer_committed(Writer *writer, char path[4096]) {
    pthread_mutex_lock(&writer->lock);
    memcpy(path, writer->committed, sizeof writer->committed);
    pthread_mutex_unlock(&writer->lock);
}

void writer_stop(Writer *writer) {
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->changed);
    release(writer);
}
