/* evaluate: see evaluate.h. */
#include "evaluate.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/exact_sum.h"

enum { COUNTS = 3 + DATASET_CLASSES * DATASET_CLASSES }; /* loss, bad, images, confusion */

typedef struct EvalJob {
    Engine *engine;
    const EvalSet *set;
    const Augment *augment;
    atomic_llong next;
    int64_t (*counts)[COUNTS]; /* [threads] */
} EvalJob;

/* Images and labels of the `images` records from `at` in the rank's records. */
static Status load_batch(const EvalJob *job, Worker *worker, Executor *executor, int64_t at,
                         int64_t images) {
    const EvalSet *set = job->set;
    for (int64_t i = 0; i < images; i++) {
        worker->label[i] = set->shard.labels[at + i];
        if (set->kept)
            worker->placement[i] = placement_plain((int32_t)(at + i));
        else
            augment_plain(job->augment, set->shard.pixels + (at + i) * DATASET_PIXELS,
                          worker->image + i * DATASET_PIXELS);
    }
    if (!set->kept)
        return executor_load(executor, worker->image, worker->label);
    PixelScale scale = augment_scale(job->augment);
    return executor_load_records(executor, set->kept, worker->placement, &scale, worker->label);
}

static Status evaluate_batch(const EvalJob *job, Worker *worker, int64_t batch, int64_t *counts) {
    const EvalSet *set = job->set;
    int64_t from = batch * set->batch, left = set->records - from;
    int64_t images = left < set->batch ? left : set->batch;
    int64_t at = (batch - set->first) * set->batch; /* in the rank's records */
    int program = engine_find(job->engine->eval, job->engine->n_eval, images);
    Executor *executor = worker->eval[program];
    LaneRun run = {0};
    FixedPoint format = fixed_loss();
    TRY(load_batch(job, worker, executor, at, images));
    TRY(executor_forward(executor, &run));
    TRY(executor_results(executor, worker->loss, worker->predicted));
    TRY(job->engine->device->ops->sync(worker->stream, SYNC_SECONDS));
    for (int64_t i = 0; i < images; i++) {
        counts[0] += fixed_from(format, worker->loss[i], &counts[1]);
        counts[3 + worker->label[i] * DATASET_CLASSES + worker->predicted[i]]++;
    }
    counts[2] += images;
    return ST_OK;
}

static Status evaluate_job(void *context, int thread) {
    EvalJob *job = context;
    for (;;) {
        int64_t batch = atomic_fetch_add(&job->next, 1);
        if (batch >= job->set->end)
            return ST_OK;
        TRY(evaluate_batch(job, &job->engine->workers[thread], batch, job->counts[thread]));
    }
}

/* This rank's share: counts[COUNTS]. */
static Status evaluate_local(Engine *engine, const EvalSet *set, const Augment *augment,
                             int64_t *counts) {
    int threads = team_size(engine->team);
    EvalJob job = {.engine = engine, .set = set, .augment = augment};
    Status status = ST_OK;
    atomic_store(&job.next, set->first);
    job.counts = calloc((size_t)threads, sizeof *job.counts);
    TRY_ALLOC(job.counts);
    for (int i = 0; i < engine->n_eval; i++)
        TRY_DONE(engine_pack(engine, &engine->eval[i]));
    TRY_DONE(team_run(engine->team, evaluate_job, &job));
    for (int t = 0; t < threads; t++) {
        for (int i = 0; i < COUNTS; i++)
            counts[i] += job.counts[t][i];
    }
done:
    free(job.counts);
    return status;
}

Status evaluate(Engine *engine, Comm *comm, const EvalSet *set, const Augment *augment,
                EvalResult *result) {
    int64_t counts[COUNTS] = {0};
    *result = (EvalResult){0};
    TRY(comm_agree(comm, evaluate_local(engine, set, augment, counts)));
    TRY(comm_sum_i64(comm, counts, COUNTS));
    result->images = counts[2];
    memcpy(result->confusion, counts + 3, sizeof result->confusion);
    for (int c = 0; c < DATASET_CLASSES; c++)
        result->correct += result->confusion[c][c];
    result->accuracy = (double)result->correct / (double)result->images;
    result->loss =
        counts[1] > 0 ? (double)NAN : fixed_value(fixed_loss(), counts[0]) / (double)result->images;
    return ST_OK;
}
