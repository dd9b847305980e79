/* stepper: see stepper.h. All ranks hold the same sum and make the same update. */
#include "lockstep/stepper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "finish.h"
#include "grad_sum.h"
#include "lanes.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "optimize.h"

struct Stepper {
    Session *session; /* borrowed */
    GradSum sum;
    Lanes lanes;
    Optimize optimize;
    Finishing finishing;
    int64_t step;              /* that was computed last */
    int64_t words[TAIL_WORDS]; /* what this rank brought to its tail */
    double packed_s;           /* that its packing took */
};

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

/* Mean over threads of what each spent since the last call; and what that is of each of `lanes`. */
static void collect_times(Engine *engine, int lanes, PhaseTimes *times, double *lane_s) {
    int threads = team_size(engine->team);
    double spent = 0;
    for (int t = 0; t < threads; t++) {
        Worker *worker = &engine->workers[t];
        times->seconds[PHASE_DATA] += worker->data_s / threads;
        times->seconds[PHASE_FORWARD] += worker->forward_s / threads;
        times->seconds[PHASE_BACKWARD] += worker->backward_s / threads;
        spent += worker->data_s + worker->forward_s + worker->backward_s - worker->waited_s;
        worker->data_s = worker->forward_s = worker->backward_s = worker->waited_s = 0;
    }
    *lane_s = lanes > 0 ? spent / lanes : 0;
}

/* Lanes computed the gradient of the sum of losses over the number of images; the mean loss is that
 * over the sum of their weights, which all ranks know only now. */
static void divide_by_weights(const Model *model, GradSum *sum, StepResult *result) {
    FixedPoint format = fixed_loss();
    int64_t bad = 0;
    sum->per_weight = 1;
    if (!model->class_weights || result->bad > 0)
        return;
    sum->per_weight =
        (double)result->images * WEIGHT_ONE / fixed_value(format, sum->staged[TAIL_WEIGHT]);
    result->loss = fixed_from(format, fixed_value(format, result->loss) * sum->per_weight, &bad);
    result->bad += bad;
}

static void read_tail(const GradSum *sum, StepResult *result) {
    const int64_t *tail = sum->staged;
    result->loss = tail[TAIL_LOSS];
    result->correct = tail[TAIL_CORRECT];
    result->images = tail[TAIL_IMAGES];
    result->bad = tail[TAIL_BAD] + tail[TAIL_BAD_KEPT];
    result->stop = tail[TAIL_STOP];
    result->error = tail[TAIL_ERROR];
    result->save = tail[TAIL_SAVE];
    result->told = (StepTimes){.lane_s = 1e-9 * (double)tail[TAIL_LANE_NS],
                               .waited_s = 1e-9 * (double)tail[TAIL_WAITED_NS]};
    result->samples = (uint64_t)tail[TAIL_SAMPLES_LOW] + ((uint64_t)tail[TAIL_SAMPLES_HIGH] << 32);
}

/* A rank that has made other collectives than this one shows in the sums. */
static void compare_calls(Comm *comm, const int64_t *mine, const int64_t *tail) {
    int64_t ranks = comm_size(comm);
    if (tail[TAIL_CALLS_LOW] != ranks * mine[TAIL_CALLS_LOW] ||
        tail[TAIL_CALLS_HIGH] != ranks * mine[TAIL_CALLS_HIGH])
        comm_part(comm);
}

/* The tail has come. */
static void look_at_sums(Stepper *stepper, StepResult *result) {
    Session *session = stepper->session;
    GradSum *sum = &stepper->sum;
    compare_calls(session->ranks.comm, stepper->words, sum->staged);
    if (sum->resummed > 0)
        log_debug("step %" PRId64
                  ": %d of %d buckets did not fit into int32, and were summed again as int64",
                  stepper->step + 1, sum->resummed, sum->buckets);
    read_tail(sum, result);
    result->local_bad += sum->kept_bad;
    divide_by_weights(&session->model, sum, result);
}

/* The lanes of this rank, and the sums over all. */
static Status compute(Stepper *stepper, const StepRequest *request, LanesStep *lanes,
                      StepResult *result) {
    Session *session = stepper->session;
    GradSum *sum = &stepper->sum;
    Stream *stream = session->engine.stream;
    /* Of the collectives up to here: the reducer is idle, so none is under way. */
    comm_begin_step(session->ranks.comm);
    uint64_t calls = comm_calls(session->ranks.comm);
    double busy = 0, began = clock_now();
    TRY(grad_sum_begin(sum, stream, lanes->step, lanes_active(&stepper->lanes, lanes->step),
                       session->engine.peak));
    TRY(lanes_compute(&stepper->lanes, lanes));
    const int64_t words[TAIL_WORDS] = {[TAIL_LOSS] = lanes->loss,
                                       [TAIL_WEIGHT] = lanes->weight,
                                       [TAIL_CORRECT] = lanes->correct,
                                       [TAIL_IMAGES] = lanes->lane_images,
                                       [TAIL_BAD] = lanes->bad,
                                       [TAIL_STOP] = request->stop,
                                       [TAIL_ERROR] = request->error,
                                       [TAIL_SAVE] = request->save,
                                       [TAIL_SAMPLES_LOW] = (int64_t)(lanes->samples & UINT32_MAX),
                                       [TAIL_SAMPLES_HIGH] = (int64_t)(lanes->samples >> 32),
                                       [TAIL_CALLS_LOW] = (int64_t)(calls & INT32_MAX),
                                       [TAIL_CALLS_HIGH] = (int64_t)(calls >> 33),
                                       [TAIL_LANE_NS] = (int64_t)(1e9 * request->tell.lane_s),
                                       [TAIL_WAITED_NS] = (int64_t)(1e9 * request->tell.waited_s)};
    double computed = clock_now();
    TraceAt at = {lanes->step, -1};
    trace_span_until(session->row, "lanes", "lanes", at, began, computed);
    trace_flow(session->row, "bucket 0", at, reducer_flow(lanes->step, 0), true, computed);
    comm_at(session->ranks.comm, lanes->step, STAGE_REDUCE);
    memcpy(stepper->words, words, sizeof words);
    TRY(grad_sum_finish(sum, stream, stepper->words));
    if (stepper->finishing.finish)
        TRY(grad_sum_settle(sum, stream, &busy));
    else
        TRY(grad_sum_wait(sum, stream, &busy));
    trace_span_until(session->row, "sum over ranks", "wait for sums", at, computed, clock_now());
    result->local_bad = lanes->bad;
    result->local_samples = lanes->samples;
    result->times.seconds[PHASE_EXPOSED] = clock_now() - computed + lanes->waited_s;
    if (!stepper->finishing.finish)
        look_at_sums(stepper, result);
    return ST_OK;
}

Status stepper_sum(Stepper *stepper, const StepRequest *request, StepResult *result) {
    Session *session = stepper->session;
    LanesStep lanes = {.step = request->step,
                       .epoch = request->step / session->input.sampler.steps_per_epoch,
                       .images = sampler_step_images(&session->input.sampler, request->step),
                       .nan = request->nan,
                       .hang = request->hang,
                       .slow = request->slow};
    TraceAt at = {request->step, -1};
    *result = (StepResult){.lr = request->rates.lr, .grad_norm = -1};
    comm_at(session->ranks.comm, request->step, STAGE_COMPUTE);
    optimize_begin(&stepper->optimize, request);
    stepper->sum.frozen = stepper->optimize.any_frozen ? stepper->optimize.frozen : NULL;
    double start = clock_now();
    TRY(pack_for_step(session, request->step));
    stepper->step = request->step;
    stepper->packed_s = clock_now() - start;
    trace_span_until(session->row, "optimizer", "pack weights", at, start,
                     start + stepper->packed_s);
    Status status = compute(stepper, request, &lanes, result);
    if (status == ST_LOST)
        grad_sum_abandon(&stepper->sum);
    return status;
}

Status stepper_update(Stepper *stepper, StepResult *result) {
    Session *session = stepper->session;
    int64_t step = stepper->step;
    double start = clock_now();
    comm_at(session->ranks.comm, step, STAGE_OPTIMIZER);
    if (stepper->finishing.finish) {
        TRY(finishing_begin(&stepper->finishing, &stepper->optimize, &stepper->sum));
        look_at_sums(stepper, result);
    }
    if (result->bad == 0) {
        if (stepper->finishing.finish)
            TRY(finishing_end(&stepper->finishing, &stepper->optimize, &stepper->sum, result));
        else
            TRY(optimize_step(&stepper->optimize, &stepper->sum, result));
        grad_sum_follow(&stepper->sum, session->engine.peak);
    }
    trace_span(session->row, "optimizer", "optimizer", (TraceAt){step, -1}, start);
    collect_times(&session->engine, lanes_active(&stepper->lanes, step), &result->times,
                  &result->lane_s);
    result->times.seconds[PHASE_OPTIMIZER] = clock_now() - start + stepper->packed_s;
    return ST_OK;
}

Status stepper_run(Stepper *stepper, const StepRequest *request, StepResult *result) {
    TRY(stepper_sum(stepper, request, result));
    return stepper_update(stepper, result);
}

Status stepper_gradient(const Stepper *stepper, int64_t from, int64_t count, double *gradient) {
    return grad_sum_get(&stepper->sum, stepper->session->engine.stream, from, count, gradient);
}

static Status keep_gradients(Stepper *stepper) {
    const Engine *engine = &stepper->session->engine;
    TermForm *form = calloc((size_t)engine->model->n_params + 1, sizeof *form);
    TRY_ALLOC(form);
    program_forms(engine->train[0].program, form);
    Status status = grad_sum_keep(&stepper->sum, team_size(engine->team), form);
    free(form);
    return status;
}

Status stepper_open(Session *session, Stepper **out) {
    Engine *engine = &session->engine;
    const RunConfig *config = session->config;
    Stepper *stepper = calloc(1, sizeof *stepper);
    TRY_ALLOC(stepper);
    *out = stepper;
    stepper->session = session;
    TRY(grad_sum_open(&stepper->sum, session->ranks.comm, session->share, session->device,
                      &session->model, config, trace_row(session->trace, "reducer")));
    stepper->sum.grouping = &session->grouping;
    if (engine->keeps)
        TRY(keep_gradients(stepper));
    for (int r = 0; r < engine->n_rooms; r++) {
        for (int i = 0; i < engine->n_train; i++)
            executor_cut(engine->rooms[r].train[i], stepper->sum.begin, stepper->sum.buckets);
    }
    TRY(lanes_open(&stepper->lanes, session, &stepper->sum));
    TRY(optimize_open(&stepper->optimize, session));
    return finishing_open(&stepper->finishing, session, &stepper->sum);
}

void stepper_close(Stepper *stepper) {
    if (!stepper)
        return;
    lanes_close(&stepper->lanes);
    finishing_close(&stepper->finishing);
    grad_sum_close(&stepper->sum);
    optimize_close(&stepper->optimize);
    free(stepper);
}

Status stepper_load(Stepper *stepper, int64_t first, int64_t end) {
    return lanes_load(&stepper->lanes, first, end);
}
