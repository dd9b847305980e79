/* lane: see lane.h. */
#include "lane.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/ledger.h"

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
        TRY(grad_sum_add(lane->sum, worker->stream, lane->next, &lane->gradient, &complete));
        trace_addition(worker->row, lane->next, lane->at, start, complete);
        lane->next--;
    }
    return ST_OK;
}

/* What the classes' weights of a batch come to; 0 without weights. */
static int64_t weight_of(const Model *model, const Batch *batch) {
    const SecondLabel none = {0, 0};
    int64_t sum = 0, bad = 0;
    for (int64_t i = 0; model->class_weights && i < batch->images; i++) {
        const SecondLabel *second = batch->second ? &batch->second[i] : &none;
        double share = (double)second->share / MIX_ONE;
        double weight = (1 - share) * (double)model->class_weights[batch->label[i]] +
                        share * (double)model->class_weights[second->label];
        sum += fixed_from(fixed_loss(), weight * WEIGHT_ONE, &bad);
    }
    return sum;
}

/* Adds the results of a lane, which are on the host, to the step's. */
static void add_results(LanesStep *step, const LaneResult *result) {
    const Batch *batch = result->batch;
    FixedPoint format = fixed_loss();
    int64_t loss = 0, correct = 0, bad = 0;
    for (int64_t i = 0; i < batch->images; i++) {
        float value = step->nan ? NAN : result->loss[i];
        loss += fixed_from(format, value, &bad);
        correct += result->predicted[i] == batch->label[i];
    }
    atomic_fetch_add(&step->loss, loss);
    atomic_fetch_add(&step->correct, correct);
    atomic_fetch_add(&step->weight, weight_of(&step->session->model, batch));
    atomic_fetch_add(&step->lane_images, batch->images);
    atomic_fetch_add(&step->bad, bad);
    atomic_fetch_add(&step->samples, ledger_sum(step->epoch, batch->record, batch->images));
}

/* The batch of a lane: images that the loader made, or what it drew for the device to make them. */
static Status load_lane(const Session *session, Executor *executor, const Batch *batch) {
    const Input *input = &session->input;
    const uint8_t *records = input->resident[batch->lane - input->first_lane];
    if (batch->second)
        TRY(executor_load_second(executor, batch->second));
    if (batch->image)
        return executor_load(executor, batch->image, batch->label);
    ImageRule rule = augment_rule(&session->config->augment, input->sampler.seed);
    return executor_load_records(executor, records, &batch->drawn, &batch->partner, &rule,
                                 batch->label);
}

/* Takes the lane's batch and loads it. */
static Status begin_lane(LanesStep *step, LaneTask *task) {
    Session *session = step->session;
    Engine *engine = &session->engine;
    Worker *worker = task->worker;
    TraceAt at = {step->step, task->lane};
    double start = clock_now();
    task->executor = NULL;
    task->result = &step->results[task->lane - session->input.first_lane];
    task->images = sampler_images(&session->input.sampler, step->step, task->lane);
    TRY(loader_take(step->loader, step->step, task->lane, session->config->deadline / 2,
                    &task->batch));
    if (task->images == 0) { /* taken all the same: the loader's ring goes on only behind it */
        loader_give(step->loader, task->batch);
        return ST_OK;
    }
    task->executor = task->room->train[engine_find(engine->train, engine->n_train, task->images)];
    task->run = (LaneRun){.seed = session->config->seed,
                          .step = step->step,
                          .lane = (int32_t)task->lane,
                          .loss_scale = 1.0 / (double)step->images};
    task->buckets = (LaneBuckets){.sum = step->sum,
                                  .worker = worker,
                                  .gradient = {.lane = task->lane,
                                               .index = (int)(task->room - engine->rooms),
                                               .worker = (int)(worker - engine->workers),
                                               .value = task->room->gradient,
                                               .bad = worker->bad,
                                               .waited_s = &worker->waited_s,
                                               .peak = task->room->peak},
                                  .at = at,
                                  .next = step->sum->buckets - 1};
    TRY(load_lane(session, task->executor, task->batch));
    double loaded = clock_now();
    trace_span_until(worker->row, "data", "load", at, start, loaded);
    worker->data_s += loaded - start;
    return grad_sum_begin_lane(step->sum, worker->stream, &task->buckets.gradient);
}

/* Waits for a worker's lanes, and counts them. */
static Status count_lanes(LanesStep *step, Worker *worker) {
    const DeviceOps *ops = step->session->engine.device->ops;
    TRY(ops->download(worker->stream, worker->bad_so_far, worker->bad, sizeof worker->bad_so_far));
    TRY(ops->sync(worker->stream, SYNC_SECONDS));
    for (; worker->results; worker->results = worker->results->next) {
        add_results(step, worker->results);
        loader_give(step->loader, worker->results->batch);
    }
    return ST_OK;
}

static Status end_lane(LanesStep *step, LaneTask *task) {
    const DeviceOps *ops = step->session->engine.device->ops;
    Worker *worker = task->worker;
    TRY(grad_sum_end_lane(step->sum, worker->stream, &task->buckets.gradient,
                          executor_stats(task->executor),
                          (double)task->images / (double)step->images));
    task->result->batch = task->batch;
    task->result->next = worker->results;
    worker->results = task->result;
    /* A stream without marks has no work left; and traced ops are told of before their marks serve
     * the next lane. */
    if (ops->marks && !trace_keeps(worker->row))
        return ST_OK;
    TRY(count_lanes(step, worker));
    return executor_traced(task->executor);
}

static Status compute_lane(LanesStep *step, LaneTask *task, LanePhase phase) {
    Executor *executor = task->executor;
    switch (phase) {
    case LANE_FORWARD:
        return executor_forward(executor, &task->run);
    case LANE_FORWARD_ON:
        return executor_forward_on(executor, &task->run);
    case LANE_BACKWARD:
        TRY(executor_results(executor, task->result->loss, task->result->predicted));
        return executor_backward(executor, &task->run, on_ready, &task->buckets);
    case LANE_BACKWARD_ON:
        return executor_backward_on(executor, &task->run, on_ready, &task->buckets);
    case LANE_END:
        break;
    }
    return end_lane(step, task);
}

Status lane_advance(LanesStep *step, LaneTask *task, LanePhase phase) {
    Worker *worker = task->worker;
    if (phase == LANE_FORWARD)
        TRY(begin_lane(step, task));
    if (!task->executor)
        return ST_OK;
    Flight *flight = comm_flight(step->session->ranks.comm);
    double start = clock_now();
    int64_t order = flight_begin(
        flight, (FlightEntry){.op = phase < LANE_BACKWARD ? FLIGHT_FORWARD : FLIGHT_BACKWARD,
                              .step = step->step,
                              .index = (int32_t)task->lane});
    while (step->hang)
        clock_sleep(0.1);
    TRY(compute_lane(step, task, phase));
    if (step->slow)
        clock_sleep(2 * (clock_now() - start));
    flight_end(flight, order);
    *(phase < LANE_BACKWARD ? &worker->forward_s : &worker->backward_s) += clock_now() - start;
    return ST_OK;
}

void lane_trace(const LaneTask *task, double start) {
    char name[32];
    if (!trace_keeps(task->worker->row))
        return;
    snprintf(name, sizeof name, "lane %" PRId64, task->lane);
    trace_span(task->worker->row, "lane", name, task->buckets.at, start);
}

Status lane_begin_worker(const LanesStep *step, Worker *worker) {
    worker->results = NULL;
    memset(worker->bad_so_far, 0, sizeof worker->bad_so_far);
    return step->session->device->ops->upload(worker->stream, worker->bad, worker->bad_so_far,
                                              sizeof worker->bad_so_far);
}

Status lane_end_worker(LanesStep *step, Worker *worker) {
    Flight *flight = comm_flight(step->session->ranks.comm);
    if (worker->results) {
        double start = clock_now();
        int64_t order =
            flight_begin(flight, (FlightEntry){.op = FLIGHT_BACKWARD,
                                               .step = step->step,
                                               .index = (int32_t)worker->results->batch->lane});
        TRY(count_lanes(step, worker));
        flight_end(flight, order);
        worker->backward_s += clock_now() - start;
    }
    atomic_fetch_add(&step->bad, worker->bad_so_far[0]);
    return ST_OK;
}
