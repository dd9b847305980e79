/* stepper: see stepper.h.
 *
 * Compute threads take the rank's lanes one after another; a lane is always computed by one thread
 * with the same shapes, so its bits depend on nothing else. As backward goes on, finished ranges of
 * the lane's gradient are added to the rank's buckets, and full buckets travel while other lanes
 * still compute. Then all ranks hold the same sum and make the same update. */
#include "lockstep/stepper.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "grad_sum.h"
#include "lockstep/clock.h"
#include "lockstep/ledger.h"
#include "lockstep/loader.h"
#include "optimize.h"

struct Stepper {
    Session *session; /* borrowed */
    GradSum sum;
    Loader *loader; /* NULL until stepper_load */
    Optimize optimize;
};

typedef struct StepJob {
    Stepper *stepper;
    int64_t step, epoch;
    int64_t images;    /* of the step over all lanes */
    atomic_llong next; /* lane of this rank */
    atomic_llong loss, correct, lane_images, bad;
    atomic_ullong samples;
    bool nan;
} StepJob;

/* Where a lane's backward stands: the next bucket to add, counted down. */
typedef struct LaneBuckets {
    GradSum *sum;
    Worker *worker;
    TraceAt at;
    int next;
} LaneBuckets;

/* A lane's addition to a bucket; from the last one an arrow goes to the bucket's reduction, but to
 * that of bucket 0, which waits for the tail. */
static void trace_addition(TraceRow *row, int bucket, TraceAt at, double start, bool complete) {
    char name[32];
    if (!trace_keeps(row))
        return;
    snprintf(name, sizeof name, "bucket %d", bucket);
    trace_span(row, "sum over lanes", name, at, start);
    if (complete && bucket > 0)
        trace_flow(row, name, at, reducer_flow(at.step, bucket), true, start);
}

static Status on_ready(void *context, int64_t begin) {
    LaneBuckets *lane = context;
    while (lane->next >= 0 && lane->sum->begin[lane->next] >= begin) {
        Worker *worker = lane->worker;
        bool complete;
        double start = trace_now(worker->row);
        TRY(grad_sum_add(lane->sum, worker->stream, lane->next, worker->gradient, worker->bad,
                         &complete));
        trace_addition(worker->row, lane->next, lane->at, start, complete);
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
    atomic_fetch_add(&job->samples, ledger_sum(job->epoch, batch->record, batch->images));
}

/* The batch of a lane: images that the loader made, or what it drew for the device to make them. */
static Status load_lane(const Session *session, Executor *executor, const Batch *batch) {
    const Input *input = &session->input;
    const uint8_t *records = input->resident[batch->lane - input->first_lane];
    if (batch->second)
        TRY(executor_load_second(executor, batch->second));
    if (!batch->placement)
        return executor_load(executor, batch->image, batch->label);
    PixelScale scale = augment_scale(&session->config->augment);
    return executor_load_records(executor, records, batch->placement, batch->partner, &scale,
                                 batch->label);
}

/* One wait a lane, at its end: until then a stream that runs by itself is never idle. */
static Status run_lane(StepJob *job, Worker *worker, int64_t lane) {
    Stepper *stepper = job->stepper;
    Session *session = stepper->session;
    Engine *engine = &session->engine;
    int64_t images = sampler_images(&session->input.sampler, job->step, lane);
    LaneRun lane_run = {.seed = session->config->seed,
                        .step = job->step,
                        .lane = (int32_t)lane,
                        .loss_scale = 1.0 / (double)job->images};
    TraceAt at = {job->step, lane};
    LaneBuckets buckets = {&stepper->sum, worker, at, stepper->sum.buckets - 1};
    Batch *batch;
    double start = clock_now();
    TRY(loader_take(stepper->loader, job->step, lane, session->config->deadline / 2, &batch));
    if (images == 0) { /* taken all the same: the loader's ring goes on only behind it */
        loader_give(stepper->loader, batch);
        return ST_OK;
    }
    Executor *executor = worker->train[engine_find(engine->train, engine->n_train, images)];
    TRY(load_lane(session, executor, batch));
    double loaded = clock_now();
    trace_span_until(worker->row, "data", "load", at, start, loaded);
    TRY(executor_forward(executor, &lane_run));
    TRY(executor_results(executor, worker->loss, worker->predicted));
    double half = clock_now();
    TRY(executor_backward(executor, &lane_run, on_ready, &buckets));
    TRY(grad_sum_add_stats(&stepper->sum, worker->stream, executor_stats(executor),
                           (double)images / (double)job->images, worker->bad));
    TRY(engine->device->ops->sync(worker->stream, SYNC_SECONDS));
    TRY(executor_traced(executor));
    add_results(job, worker, batch);
    loader_give(stepper->loader, batch);
    if (trace_keeps(worker->row)) {
        char name[32];
        snprintf(name, sizeof name, "lane %" PRId64, lane);
        trace_span(worker->row, "lane", name, at, start);
    }
    worker->data_s += loaded - start;
    worker->forward_s += half - loaded;
    worker->backward_s += clock_now() - half;
    return ST_OK;
}

static Status lanes_job(void *context, int thread) {
    StepJob *job = context;
    Session *session = job->stepper->session;
    Worker *worker = &session->engine.workers[thread];
    const DeviceOps *ops = session->device->ops;
    int64_t bad[2] = {0, 0};
    TRY(ops->upload(worker->stream, worker->bad, bad, sizeof bad));
    for (;;) {
        int64_t i = atomic_fetch_add(&job->next, 1);
        if (i >= session->input.lane_count)
            break;
        TRY(run_lane(job, worker, session->input.first_lane + i));
    }
    TRY(ops->download(worker->stream, bad, worker->bad, sizeof bad));
    TRY(ops->sync(worker->stream, SYNC_SECONDS));
    atomic_fetch_add(&job->bad, bad[0]);
    return ST_OK;
}

static int active_lanes(const Input *input, int64_t step) {
    int active = 0;
    for (int64_t i = 0; i < input->lane_count; i++)
        active += sampler_images(&input->sampler, step, input->first_lane + i) > 0;
    return active;
}

/* Programs of the lane batches this step has must hold the current weights. */
static Status pack_for_step(Session *session, int64_t step) {
    Engine *engine = &session->engine;
    const Input *input = &session->input;
    for (int64_t i = 0; i < input->lane_count; i++) {
        int64_t images = sampler_images(&input->sampler, step, input->first_lane + i);
        if (images > 0)
            TRY(engine_pack(engine,
                            &engine->train[engine_find(engine->train, engine->n_train, images)]));
    }
    return ST_OK;
}

/* Mean over threads of what each spent since the last call. */
static void collect_times(Engine *engine, PhaseTimes *times) {
    int threads = team_size(engine->team);
    for (int t = 0; t < threads; t++) {
        Worker *worker = &engine->workers[t];
        times->seconds[PHASE_DATA] += worker->data_s / threads;
        times->seconds[PHASE_FORWARD] += worker->forward_s / threads;
        times->seconds[PHASE_BACKWARD] += worker->backward_s / threads;
        worker->data_s = worker->forward_s = worker->backward_s = 0;
    }
}

static void read_tail(const GradSum *sum, StepResult *result) {
    const int64_t *tail = sum->staged;
    result->loss = tail[TAIL_LOSS];
    result->correct = tail[TAIL_CORRECT];
    result->images = tail[TAIL_IMAGES];
    result->bad = tail[TAIL_BAD];
    result->stop = tail[TAIL_STOP];
    result->error = tail[TAIL_ERROR];
    result->save = tail[TAIL_SAVE];
    result->samples = (uint64_t)tail[TAIL_SAMPLES_LOW] + ((uint64_t)tail[TAIL_SAMPLES_HIGH] << 32);
}

/* The lanes of this rank, and the sums over all. */
static Status compute(Stepper *stepper, const StepRequest *request, StepJob *job,
                      StepResult *result) {
    Session *session = stepper->session;
    GradSum *sum = &stepper->sum;
    Stream *stream = session->engine.stream;
    double busy = 0, began = clock_now();
    TRY(grad_sum_begin(sum, stream, job->step, active_lanes(&session->input, job->step)));
    TRY(team_run(session->engine.team, lanes_job, job));
    int64_t words[TAIL_WORDS] = {[TAIL_LOSS] = job->loss,
                                 [TAIL_CORRECT] = job->correct,
                                 [TAIL_IMAGES] = job->lane_images,
                                 [TAIL_BAD] = job->bad,
                                 [TAIL_STOP] = request->stop,
                                 [TAIL_ERROR] = request->error,
                                 [TAIL_SAVE] = request->save,
                                 [TAIL_SAMPLES_LOW] = (int64_t)(job->samples & UINT32_MAX),
                                 [TAIL_SAMPLES_HIGH] = (int64_t)(job->samples >> 32)};
    double computed = clock_now();
    TraceAt at = {job->step, -1};
    trace_span_until(session->row, "lanes", "lanes", at, began, computed);
    trace_flow(session->row, "bucket 0", at, reducer_flow(job->step, 0), true, computed);
    comm_at(session->ranks.comm, job->step, STAGE_REDUCE);
    TRY(grad_sum_finish(sum, stream, words));
    TRY(grad_sum_wait(sum, stream, &busy));
    trace_span_until(session->row, "sum over ranks", "wait for sums", at, computed, clock_now());
    result->local_bad = job->bad;
    result->local_samples = job->samples;
    result->times.seconds[PHASE_EXPOSED] = clock_now() - computed;
    read_tail(sum, result);
    return ST_OK;
}

Status stepper_run(Stepper *stepper, const StepRequest *request, StepResult *result) {
    Session *session = stepper->session;
    Comm *comm = session->ranks.comm;
    StepJob job = {.stepper = stepper,
                   .step = request->step,
                   .epoch = request->step / session->input.sampler.steps_per_epoch,
                   .nan = request->nan};
    *result = (StepResult){.lr = request->rates.lr, .grad_norm = -1};
    job.images = sampler_step_images(&session->input.sampler, job.step);
    TraceAt at = {job.step, -1};
    comm_at(comm, job.step, STAGE_COMPUTE);
    optimize_begin(&stepper->optimize, request);
    stepper->sum.frozen = stepper->optimize.any_frozen ? stepper->optimize.frozen : NULL;
    double start = clock_now();
    TRY(pack_for_step(session, job.step));
    double packed = clock_now();
    trace_span_until(session->row, "optimizer", "pack weights", at, start, packed);
    TRY(compute(stepper, request, &job, result));
    double reduced = clock_now();
    comm_at(comm, job.step, STAGE_OPTIMIZER);
    if (result->bad == 0)
        TRY(optimize_step(&stepper->optimize, &stepper->sum, result));
    trace_span_until(session->row, "optimizer", "optimizer", at, reduced, clock_now());
    collect_times(&session->engine, &result->times);
    result->times.seconds[PHASE_OPTIMIZER] = clock_now() - reduced + (packed - start);
    return ST_OK;
}

Status stepper_gradient(const Stepper *stepper, int64_t from, int64_t count, double *gradient) {
    return grad_sum_get(&stepper->sum, stepper->session->engine.stream, from, count, gradient);
}

Status stepper_open(Session *session, Stepper **out) {
    Engine *engine = &session->engine;
    const RunConfig *config = session->config;
    Stepper *stepper = calloc(1, sizeof *stepper);
    TRY_ALLOC(stepper);
    *out = stepper;
    stepper->session = session;
    TRY(grad_sum_open(&stepper->sum, session->ranks.comm, session->device, &session->model, config,
                      trace_row(session->trace, "reducer")));
    stepper->sum.grouping = &session->grouping;
    for (int t = 0; t < team_size(engine->team); t++) {
        for (int i = 0; i < engine->n_train; i++)
            executor_cut(engine->workers[t].train[i], stepper->sum.begin, stepper->sum.buckets);
    }
    return optimize_open(&stepper->optimize, session);
}

void stepper_close(Stepper *stepper) {
    if (!stepper)
        return;
    loader_stop(stepper->loader);
    grad_sum_close(&stepper->sum);
    optimize_close(&stepper->optimize);
    free(stepper);
}

Status stepper_load(Stepper *stepper, int64_t first, int64_t end) {
    const Session *session = stepper->session;
    const Input *input = &session->input;
    LoaderConfig config = {.sampler = &input->sampler,
                           .augment = &session->config->augment,
                           .image = session->model.image,
                           .shards = input->shards,
                           .first_lane = input->first_lane,
                           .lane_count = input->lane_count,
                           .first_step = first,
                           .end_step = end,
                           .threads = (int)session->config->loader_threads,
                           .depth = 2 * input->lane_count,
                           .draw_only = session->device->ops->images != NULL,
                           .trace = session->trace};
    loader_stop(stepper->loader);
    stepper->loader = NULL;
    return loader_start(&config, &stepper->loader);
}
