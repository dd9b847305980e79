/* step: lanes -> gradient sum -> optimizer.
 *
 * Compute threads take the rank's lanes one after another; a lane is always computed by one thread
 * with the same shapes, so its bits depend on nothing else. As backward goes on, finished ranges of
 * the lane's gradient are added to the rank's buckets, and full buckets travel while other lanes
 * still compute. Then all ranks hold the same sum and make the same update. */
#include "train.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lockstep/clock.h"

typedef struct StepJob {
    Run *run;
    int64_t step, images; /* images of the step over all lanes */
    atomic_llong next;    /* lane of this rank */
    atomic_llong loss, correct, lane_images, bad;
    bool nan;
} StepJob;

/* Where a lane's backward stands: the next bucket to add, counted down. */
typedef struct LaneBuckets {
    GradSum *sum;
    Worker *worker;
    int next;
} LaneBuckets;

static Status on_ready(void *context, int64_t begin) {
    LaneBuckets *lane = context;
    while (lane->next >= 0 && lane->sum->begin[lane->next] >= begin) {
        TRY(grad_sum_add(lane->sum, lane->worker->stream, lane->next, lane->worker->gradient,
                         lane->worker->bad));
        lane->next--;
    }
    return ST_OK;
}

/* Adds the results of a lane, which are on the host, to the step's. */
static void add_results(StepJob *job, const Worker *worker, const Batch *batch) {
    FixedPoint format = fixed_loss();
    int64_t loss = 0, correct = 0, bad = 0;
    for (int64_t i = 0; i < batch->images; i++) {
        float value = job->nan ? NAN : worker->loss[i];
        loss += fixed_from(format, value, &bad);
        correct += worker->predicted[i] == batch->label[i];
    }
    atomic_fetch_add(&job->loss, loss);
    atomic_fetch_add(&job->correct, correct);
    atomic_fetch_add(&job->lane_images, batch->images);
    atomic_fetch_add(&job->bad, bad);
}

/* The batch of a lane: images that the loader made, or what it drew for the device to make them. */
static Status load_lane(const Run *run, Executor *executor, const Batch *batch) {
    const uint8_t *kept = run->input.kept[batch->lane - run->input.first_lane];
    if (!batch->placement)
        return executor_load(executor, batch->image, batch->label);
    PixelScale scale = augment_scale(&run->config->augment);
    return executor_load_records(executor, kept, batch->placement, &scale, batch->label);
}

/* One wait a lane, at its end: until then a stream that runs by itself is never idle. */
static Status run_lane(StepJob *job, Worker *worker, int64_t lane) {
    Run *run = job->run;
    Engine *engine = &run->engine;
    int64_t images = sampler_images(&run->input.sampler, job->step, lane);
    LaneRun lane_run = {.seed = run->config->seed,
                        .step = job->step,
                        .lane = (int32_t)lane,
                        .loss_scale = 1.0 / (double)job->images};
    LaneBuckets buckets = {&run->sum, worker, run->sum.buckets - 1};
    Batch *batch;
    double start = clock_now();
    TRY(loader_take(run->loader, job->step, lane, run->config->deadline / 2, &batch));
    if (images == 0) { /* taken all the same: the loader's ring goes on only behind it */
        loader_give(run->loader, batch);
        return ST_OK;
    }
    Executor *executor = worker->train[engine_find(engine->train, engine->n_train, images)];
    TRY(load_lane(run, executor, batch));
    double loaded = clock_now();
    TRY(executor_forward(executor, &lane_run));
    TRY(executor_results(executor, worker->loss, worker->predicted));
    double half = clock_now();
    TRY(executor_backward(executor, &lane_run, on_ready, &buckets));
    TRY(grad_sum_add_stats(&run->sum, worker->stream, executor_stats(executor),
                           (double)images / (double)job->images, worker->bad));
    TRY(engine->device->ops->sync(worker->stream, SYNC_SECONDS));
    add_results(job, worker, batch);
    loader_give(run->loader, batch);
    worker->data_s += loaded - start;
    worker->forward_s += half - loaded;
    worker->backward_s += clock_now() - half;
    return ST_OK;
}

static Status lanes_job(void *context, int thread) {
    StepJob *job = context;
    Run *run = job->run;
    Worker *worker = &run->engine.workers[thread];
    const DeviceOps *ops = run->engine.device->ops;
    int64_t bad = 0;
    TRY(ops->upload(worker->stream, worker->bad, &bad, sizeof bad));
    for (;;) {
        int64_t i = atomic_fetch_add(&job->next, 1);
        if (i >= run->input.lane_count)
            break;
        TRY(run_lane(job, worker, run->input.first_lane + i));
    }
    TRY(ops->download(worker->stream, &bad, worker->bad, sizeof bad));
    TRY(ops->sync(worker->stream, SYNC_SECONDS));
    atomic_fetch_add(&job->bad, bad);
    return ST_OK;
}

static int active_lanes(const Run *run, int64_t step) {
    int active = 0;
    for (int64_t i = 0; i < run->input.lane_count; i++)
        active += sampler_images(&run->input.sampler, step, run->input.first_lane + i) > 0;
    return active;
}

/* Programs of the lane batches this step has must hold the current weights. */
static Status pack_for_step(Run *run, int64_t step) {
    Engine *engine = &run->engine;
    for (int64_t i = 0; i < run->input.lane_count; i++) {
        int64_t images = sampler_images(&run->input.sampler, step, run->input.first_lane + i);
        if (images > 0)
            TRY(engine_pack(engine,
                            &engine->train[engine_find(engine->train, engine->n_train, images)]));
    }
    return ST_OK;
}

typedef struct UpdateJob {
    Run *run;
    Update update;
} UpdateJob;

static void *offset_in(const Engine *engine, void *flat, int64_t offset) {
    return flat ? (char *)flat + (size_t)offset * dtype_size(engine->device->real) : NULL;
}

static Status update_part(const UpdateJob *job, Worker *worker, int64_t from, int64_t to,
                          double decay) {
    Run *run = job->run;
    const Engine *engine = &run->engine;
    UpdateRange range = {.count = to - from,
                         .weight = offset_in(engine, engine->weights.weight, from),
                         .slot = {offset_in(engine, engine->slot[0], from),
                                  offset_in(engine, engine->slot[1], from)},
                         .ema = offset_in(engine, engine->ema, from),
                         .decay = decay};
    grad_sum_at(&run->sum, from, &range.fixed, &range.real);
    return from < to ? engine->device->ops->update(worker->stream, &job->update, &range) : ST_OK;
}

static double decay_of(const Optimizer *optimizer, const ParamView *view) {
    return view->spec.decay || optimizer->decay_all ? optimizer->weight_decay : 0;
}

/* The part of the flat range that belongs to a thread, in as few calls as there are changes of the
 * decay. The gaps between parameters hold zeros, which an update leaves alone. */
static Status update_job(void *context, int thread) {
    UpdateJob *job = context;
    Run *run = job->run;
    Worker *worker = &run->engine.workers[thread];
    const Optimizer *optimizer = &run->config->optimizer;
    int64_t begin, end;
    double decay = 0;
    split_range(run->model.flat, PARAM_ALIGN, team_size(run->engine.team), thread, &begin, &end);
    for (int i = 0; i < run->model.n_params; i++) {
        const ParamView *view = &run->model.params[i];
        double next = decay_of(optimizer, view);
        if (view->offset >= end)
            break;
        if (view->offset > begin && next != decay) {
            TRY(update_part(job, worker, begin, view->offset, decay));
            begin = view->offset;
        }
        decay = next;
    }
    TRY(update_part(job, worker, begin, end, decay));
    return run->engine.device->ops->sync(worker->stream, SYNC_SECONDS);
}

static Status norm_job(void *context, int thread) {
    Run *run = context;
    Engine *engine = &run->engine;
    Worker *worker = &engine->workers[thread];
    const int64_t *fixed;
    const void *real;
    int64_t begin, end;
    split_range(run->model.flat, NORM_CHUNK, team_size(engine->team), thread, &begin, &end);
    if (begin == end)
        return ST_OK;
    grad_sum_at(&run->sum, begin, &fixed, &real);
    TRY(engine->device->ops->norm(worker->stream, run->norm_partial + begin / NORM_CHUNK, fixed,
                                  real, end - begin, grad_sum_unit(&run->sum)));
    return engine->device->ops->sync(worker->stream, SYNC_SECONDS);
}

/* L2 norm of the whole gradient: partial sums of fixed chunks, added in order. */
static Status gradient_norm(Run *run, double *norm) {
    int64_t chunks = (run->model.flat + NORM_CHUNK - 1) / NORM_CHUNK;
    double sum = 0;
    TRY(team_run(run->engine.team, norm_job, run));
    for (int64_t c = 0; c < chunks; c++)
        sum += run->norm_partial[c];
    *norm = sqrt(sum);
    return ST_OK;
}

/* running = (1 - momentum) running + momentum * mean over lanes, from the tail. */
static Status update_running(Run *run) {
    Engine *engine = &run->engine;
    const Model *model = &run->model;
    if (model->running_flat == 0)
        return ST_OK;
    for (int i = 0; i < model->n_running; i++) {
        const ParamView *view = &model->running[i];
        double momentum = model->layers[view->layer].args.bn.momentum;
        for (int64_t j = view->offset; j < view->offset + view->count; j++) {
            double mean = fixed_value(run->sum.statistics, run->sum.staged[TAIL_WORDS + j]);
            engine->running[j] =
                (float)((1 - momentum) * (double)engine->running[j] + momentum * mean);
        }
    }
    TRY(engine->device->ops->upload(engine->stream, engine->weights.running, engine->running,
                                    (size_t)model->running_flat * sizeof *engine->running));
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

static Status update_weights(Run *run, int64_t step, StepTotals *totals) {
    const Optimizer *optimizer = &run->config->optimizer;
    double scale = grad_sum_unit(&run->sum);
    totals->lr = schedule_lr(&run->config->schedule, step, run->input.sampler.steps_per_epoch);
    totals->grad_norm = -1;
    if (optimizer->clip_norm > 0) {
        TRY(gradient_norm(run, &totals->grad_norm));
        if (totals->grad_norm > optimizer->clip_norm)
            scale *= optimizer->clip_norm / totals->grad_norm;
    }
    UpdateJob job = {run, optimizer_update(optimizer, step, totals->lr, scale)};
    TRY(team_run(run->engine.team, update_job, &job));
    TRY(update_running(run));
    run->engine.version++;
    return ST_OK;
}

/* Mean over threads of what each spent since the last call. */
static void collect_times(Run *run) {
    int threads = team_size(run->engine.team);
    for (int t = 0; t < threads; t++) {
        Worker *worker = &run->engine.workers[t];
        run->interval.data += worker->data_s / threads;
        run->interval.forward += worker->forward_s / threads;
        run->interval.backward += worker->backward_s / threads;
        worker->data_s = worker->forward_s = worker->backward_s = 0;
    }
}

Status step_run(Run *run, bool nan, StepTotals *totals) {
    Engine *engine = &run->engine;
    StepJob job = {.run = run, .step = run->state.step, .nan = nan};
    double busy = 0;
    job.images = sampler_step_images(&run->input.sampler, job.step);
    comm_at(run->comm, job.step, STAGE_COMPUTE);
    double start = clock_now();
    TRY(pack_for_step(run, job.step));
    double packed = clock_now();
    TRY(grad_sum_begin(&run->sum, engine->stream, active_lanes(run, job.step)));
    TRY(team_run(engine->team, lanes_job, &job));
    int64_t words[TAIL_WORDS] = {
        [TAIL_LOSS] = job.loss, [TAIL_CORRECT] = job.correct, [TAIL_IMAGES] = job.lane_images,
        [TAIL_BAD] = job.bad,   [TAIL_STOP] = totals->stop,   [TAIL_ERROR] = totals->error};
    double computed = clock_now();
    comm_at(run->comm, job.step, STAGE_REDUCE);
    TRY(grad_sum_finish(&run->sum, engine->stream, words));
    TRY(grad_sum_wait(&run->sum, engine->stream, &busy));
    double reduced = clock_now();
    const int64_t *tail = run->sum.staged;
    *totals = (StepTotals){.loss = tail[TAIL_LOSS],
                           .correct = tail[TAIL_CORRECT],
                           .images = tail[TAIL_IMAGES],
                           .bad = tail[TAIL_BAD],
                           .local_bad = job.bad,
                           .stop = tail[TAIL_STOP],
                           .error = tail[TAIL_ERROR]};
    comm_at(run->comm, job.step, STAGE_OPTIMIZER);
    if (totals->bad == 0)
        TRY(update_weights(run, job.step, totals));
    collect_times(run);
    run->interval.exposed += reduced - computed;
    run->interval.optimizer += clock_now() - reduced + (packed - start);
    return ST_OK;
}
