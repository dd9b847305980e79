/* executor: the memory in which one lane is computed, and the walk through a program. See
 * program.h.
 *
 * The walk is cut into segments, which end in the middle of an op that waits for sums over lanes
 * and, in backward, wherever `ready` is to be called. A device that records (DeviceOps.recording)
 * runs each segment op by op the first time, which lets its libraries load what they need, records
 * it the second time, and replays it from then on.
 */
#include "program_internal.h"

#include <stdlib.h>

#include "lockstep/clock.h"
#include "op_trace.h"

typedef struct Segment {
    bool warm;            /* has run op by op */
    Recording *recording; /* NULL: none yet */
} Segment;

/* Ops `from` to `to`, both included, forward or, where `from` is not below, backward. `rest`: of
 * `from` what is left; of an op at `to` that waits for sums, only what comes before. */
typedef struct Stretch {
    bool backward, rest;
    int from, to;
} Stretch;

enum { TIMING_SECONDS = 300 }; /* longest wait for one op */

struct Executor {
    Program *program;
    Stream *stream;
    bool borrows;          /* all device memory, of another executor on the stream */
    void *arena, *scratch; /* device memory */
    void *stats;           /* [running_flat real] */
    void *labels;          /* [batch] int32 */
    SecondLabel *second;   /* [batch], in training */
    /* Of [batch], device memory, where the device makes images; partners and changes of bytes, of
     * which there is room for PIXEL_CHANGES_MAX, in training alone. */
    ImageDraws drawn, partner;
    void *loss;      /* [batch] real */
    void *predicted; /* [batch] int32 */
    OpBound **bound; /* [n_ops] */
    OpTime *times;   /* [n_ops], NULL unless timing */
    OpTrace *trace;  /* NULL: none */
    bool *cut;       /* [n_ops] backward ends a segment behind this op */
    double *shared;  /* [program->shared_most], device memory */
    int waiting;     /* op in whose middle the walk has stopped, or -1 */
    /* [n_ops + 1] of the stretch that begins with the image, or behind the middle of op i - 1 */
    Segment *forward;
    Segment
        *backward; /* [2 n_ops] of the stretch that ends with op i / 2, or (odd) in its middle */
};

static void *at(void *base, size_t offset) {
    return (char *)base + offset;
}

/* Tensor `t` with its place in the arena; for a gradient, of the buffer that mirrors it. */
static Tensor placed(const Executor *executor, int t, bool gradient) {
    const Program *program = executor->program;
    const ArenaBuffer *buffer = &program->buffers[gradient ? program->n_ops + t : t];
    Tensor tensor = program->tensors[t];
    tensor.data = buffer->bytes > 0 ? at(executor->arena, buffer->offset) : NULL;
    return tensor;
}

static Tensor per_image(void *data, DType dtype, int64_t batch) {
    return (Tensor){.shape = {batch, 1, 1, 1},
                    .dtype = dtype,
                    .layout = LAYOUT_PLAIN,
                    .bytes = (size_t)batch * dtype_size(dtype),
                    .data = data};
}

static void fill_memory(const Executor *executor, int o, const Weights *weights, void *gradient,
                        OpMemory *memory) {
    const Program *program = executor->program;
    const OpDesc *desc = &program->plans[o]->desc;
    *memory = (OpMemory){0};
    for (int i = 0; i < desc->n_in; i++) {
        memory->in[i] = placed(executor, program->input[o][i], false);
        if (desc->grad_in[i] != GRAD_NONE)
            memory->grad_in[i] = placed(executor, program->input[o][i], true);
    }
    if (o + 1 < program->n_ops) {
        memory->out = placed(executor, o + 1, false);
        if (program->training)
            memory->grad_out = placed(executor, o + 1, true);
    } else {
        memory->labels = per_image(executor->labels, DT_I32, program->batch);
        if (program->training)
            memory->second = (Tensor){.shape = {program->batch, 2, 1, 1},
                                      .dtype = DT_I32,
                                      .layout = LAYOUT_PLAIN,
                                      .bytes = (size_t)program->batch * sizeof(SecondLabel),
                                      .data = executor->second};
        memory->loss = per_image(executor->loss, program->device->real, program->batch);
        memory->predicted = per_image(executor->predicted, DT_I32, program->batch);
    }
    program_params(program, o, weights->weight, memory->param);
    program_running(program, o, weights->running, memory->running);
    if (program->training) {
        program_params(program, o, gradient, memory->grad_param);
        program_running(program, o, executor->stats, memory->stats);
    }
    memory->saved = at(executor->arena, program->buffers[2 * program->n_ops + o].offset);
    memory->scratch = executor->scratch;
    memory->shared = executor->shared;
    memory->packed = program->packed ? at(program->packed, program->packed_at[o]) : NULL;
}

/* Of what is drawn for an image. */
static size_t draws_bytes(const Program *program) {
    size_t changes = program->training ? PIXEL_CHANGES_MAX * sizeof(PixelChange) : 0;
    return sizeof(Placement) + changes;
}

static Status allocate_draws(const Program *program, ImageDraws *draws) {
    Device *device = program->device;
    size_t batch = (size_t)program->batch;
    TRY(device->ops->alloc(device, batch * sizeof *draws->placement, (void **)&draws->placement));
    return program->training
               ? device->ops->alloc(device, batch * PIXEL_CHANGES_MAX * sizeof *draws->change,
                                    (void **)&draws->change)
               : ST_OK;
}

static Status allocate(Executor *executor) {
    const Program *program = executor->program;
    Device *device = program->device;
    size_t batch = (size_t)program->batch, real = dtype_size(device->real);
    TRY(device->ops->alloc(device, program->arena_bytes, &executor->arena));
    if (program->scratch_bytes > 0)
        TRY(device->ops->alloc(device, program->scratch_bytes, &executor->scratch));
    if (program->model->running_flat > 0)
        TRY(device->ops->alloc(device, (size_t)program->model->running_flat * real,
                               &executor->stats));
    if (program->shared_most > 0)
        TRY(device->ops->alloc(device, (size_t)program->shared_most * sizeof *executor->shared,
                               (void **)&executor->shared));
    TRY(device->ops->alloc(device, batch * sizeof(int32_t), &executor->labels));
    if (program->training)
        TRY(device->ops->alloc(device, batch * sizeof *executor->second,
                               (void **)&executor->second));
    if (device->ops->images) {
        TRY(allocate_draws(program, &executor->drawn));
        if (program->training)
            TRY(allocate_draws(program, &executor->partner));
    }
    TRY(device->ops->alloc(device, batch * real, &executor->loss));
    TRY(device->ops->alloc(device, batch * sizeof(int32_t), &executor->predicted));
    return ST_OK;
}

static void borrow(Executor *executor, const Executor *lender) {
    executor->arena = lender->arena;
    executor->scratch = lender->scratch;
    executor->stats = lender->stats;
    executor->labels = lender->labels;
    executor->second = lender->second;
    executor->drawn = lender->drawn;
    executor->partner = lender->partner;
    executor->loss = lender->loss;
    executor->predicted = lender->predicted;
    executor->shared = lender->shared;
}

static Status open_executor(Program *program, Stream *stream, const Weights *weights,
                            void *gradient, const Executor *lender, Executor **out) {
    Status status = ST_OK;
    Executor *executor = calloc(1, sizeof *executor);
    TRY_ALLOC(executor);
    executor->program = program;
    executor->stream = stream;
    executor->waiting = -1;
    executor->borrows = lender;
    executor->bound = calloc((size_t)program->n_ops, sizeof *executor->bound);
    if (!executor->bound) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    executor->cut = calloc((size_t)program->n_ops, sizeof *executor->cut);
    executor->forward = calloc((size_t)program->n_ops + 1, sizeof *executor->forward);
    executor->backward = calloc((size_t)program->n_ops, 2 * sizeof *executor->backward);
    if (!executor->cut || !executor->forward || !executor->backward) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    for (int o = 0; o < program->n_ops; o++)
        executor->cut[o] = program->view[2 * o] >= 0;
    if (lender)
        borrow(executor, lender);
    else
        TRY_DONE(allocate(executor));
    for (int o = 0; o < program->n_ops; o++) {
        OpMemory memory;
        fill_memory(executor, o, weights, gradient, &memory);
        TRY_DONE(program->plans[o]->op->bind(program->plans[o], &memory, &executor->bound[o]));
    }
    *out = executor;
    executor = NULL;
done:
    executor_close(executor);
    return status;
}

Status executor_open(Program *program, Stream *stream, const Weights *weights, void *gradient,
                     Executor **executor) {
    return open_executor(program, stream, weights, gradient, NULL, executor);
}

Status executor_open_beside(const Executor *lender, const Weights *weights, void *gradient,
                            Executor **executor) {
    return open_executor(lender->program, lender->stream, weights, gradient, lender, executor);
}

static void forget(const Executor *executor, Segment *segment) {
    if (segment->recording)
        executor->program->device->ops->recording->forget(segment->recording);
    *segment = (Segment){0};
}

void executor_close(Executor *executor) {
    if (!executor)
        return;
    Device *device = executor->program->device;
    for (int o = 0; executor->bound && o < executor->program->n_ops; o++) {
        if (executor->bound[o])
            executor->program->plans[o]->op->unbind(executor->bound[o]);
    }
    for (int o = 0; executor->forward && o <= executor->program->n_ops; o++)
        forget(executor, &executor->forward[o]);
    for (int o = 0; executor->backward && o < 2 * executor->program->n_ops; o++)
        forget(executor, &executor->backward[o]);
    void *memory[] = {executor->arena,          executor->scratch,
                      executor->stats,          executor->labels,
                      executor->second,         executor->drawn.placement,
                      executor->drawn.change,   executor->partner.placement,
                      executor->partner.change, executor->loss,
                      executor->predicted,      executor->shared};
    for (size_t i = 0; !executor->borrows && i < sizeof memory / sizeof *memory; i++)
        device->ops->release(device, memory[i]);
    free(executor->bound);
    free(executor->times);
    op_trace_close(executor->trace);
    free(executor->cut);
    free(executor->forward);
    free(executor->backward);
    free(executor);
}

size_t program_executor_bytes(const Program *program) {
    size_t real = dtype_size(program->device->real);
    size_t images = (size_t)program->batch * (program->training ? 2 : 1);
    return program->arena_bytes + program->scratch_bytes +
           (size_t)program->model->running_flat * real +
           (size_t)program->shared_most * sizeof(double) +
           (size_t)program->batch *
               (real + 2 * sizeof(int32_t) + (program->training ? sizeof(SecondLabel) : 0)) +
           (program->device->ops->images ? images * draws_bytes(program) : 0);
}

static Status load_labels(Executor *executor, const int32_t *labels) {
    return executor->program->device->ops->upload(executor->stream, executor->labels, labels,
                                                  (size_t)executor->program->batch *
                                                      sizeof *labels);
}

Status executor_load(Executor *executor, const float *images, const int32_t *labels) {
    Tensor image = placed(executor, 0, false);
    TRY(executor->program->device->ops->upload_images(executor->stream, &image, images));
    return load_labels(executor, labels);
}

/* *draws: where they are in device memory; NULL each that there is none of. */
static Status load_draws(const Executor *executor, const ImageDraws *from, int32_t changes,
                         ImageDraws *draws) {
    const DeviceOps *ops = executor->program->device->ops;
    size_t batch = (size_t)executor->program->batch;
    if (!from->placement) {
        *draws = (ImageDraws){NULL, NULL};
        return ST_OK;
    }
    TRY(ops->upload(executor->stream, draws->placement, from->placement,
                    batch * sizeof *from->placement));
    if (changes > 0)
        return ops->upload(executor->stream, draws->change, from->change,
                           batch * (size_t)changes * sizeof *from->change);
    draws->change = NULL;
    return ST_OK;
}

Status executor_load_records(Executor *executor, const uint8_t *records, const ImageDraws *drawn,
                             const ImageDraws *partner, const ImageRule *rule,
                             const int32_t *labels) {
    Tensor image = placed(executor, 0, false);
    ImageDraws first = executor->drawn, second = executor->partner;
    TRY(load_draws(executor, drawn, rule->changes, &first));
    TRY(load_draws(executor, partner, rule->changes, &second));
    TRY(executor->program->device->ops->images->load(executor->stream, &image, records, &first,
                                                     &second, rule));
    return load_labels(executor, labels);
}

Status executor_load_second(Executor *executor, const SecondLabel *second) {
    return executor->program->device->ops->upload(executor->stream, executor->second, second,
                                                  (size_t)executor->program->batch *
                                                      sizeof *second);
}

void executor_cut(Executor *executor, const int64_t *begins, int n) {
    const Program *program = executor->program;
    int64_t complete = program->model->flat;
    for (int o = program->n_ops - 1; o >= 0; o--) {
        int view = program->view[2 * o];
        int64_t begin = view >= 0 ? program->model->params[view].offset : complete;
        executor->cut[o] = false;
        for (int i = 0; i < n; i++)
            executor->cut[o] |= begins[i] >= begin && begins[i] < complete;
        complete = begin;
        forget(executor, &executor->backward[2 * o]);
        forget(executor, &executor->backward[2 * o + 1]);
    }
}

typedef Status (*OpFn)(Stream *stream, OpBound *bound, const LaneRun *run);

static OpFn function_of(const Op *op, bool backward, bool rest) {
    if (rest)
        return backward ? op->backward_rest : op->forward_rest;
    return backward ? op->backward : op->forward;
}

static Status run_ops(Executor *executor, const LaneRun *run, const Stretch *stretch) {
    const Program *program = executor->program;
    const DeviceOps *ops = program->device->ops;
    bool backward = stretch->backward;
    int next = backward ? -1 : 1, end = stretch->to + next;
    for (int o = stretch->from; o != end; o += next) {
        bool rest = stretch->rest && o == stretch->from;
        OpFn function = function_of(program->plans[o]->op, backward, rest);
        double start = executor->times ? clock_now() : 0;
        TRY(op_trace_begin(executor->trace, executor->stream));
        TRY(function(executor->stream, executor->bound[o], run));
        TRY(op_trace_end(executor->trace, executor->stream, program->plans[o]->desc.layer, backward,
                         (TraceAt){run->step, run->lane}));
        if (!executor->times)
            continue;
        TRY(ops->sync(executor->stream, TIMING_SECONDS));
        double *seconds = backward ? &executor->times[o].backward_s : &executor->times[o].forward_s;
        *seconds = (rest ? *seconds : 0) + clock_now() - start;
    }
    return ST_OK;
}

/* Whether what is enqueued for this lane is the same as for any other one. */
static bool can_replay(const Executor *executor, const LaneRun *run) {
    return executor->program->device->ops->recording && !executor->times &&
           !op_trace_keeps(executor->trace) && run->n_dropout_masks == 0;
}

static Status run_segment(Executor *executor, Segment *segment, const LaneRun *run,
                          const Stretch *stretch) {
    const DeviceOps *ops = executor->program->device->ops;
    if (!can_replay(executor, run) || !segment->warm) {
        segment->warm = true;
        return run_ops(executor, run, stretch);
    }
    TRY(ops->recording->lane(executor->stream, run));
    if (!segment->recording) {
        TRY(ops->recording->begin(executor->stream));
        Status status = run_ops(executor, run, stretch);
        TRY(ops->recording->end(executor->stream,
                                &segment->recording)); /* also of one that failed */
        TRY(status);
    }
    return ops->recording->replay(executor->stream, segment->recording);
}

/* Whether the stretch that begins at op `from` stops in the middle of op `o`. */
static bool stops_in(const Executor *executor, int o, int from, bool rest) {
    return executor->program->plans[o]->shared > 0 && !(rest && o == from);
}

static Status walk_forward(Executor *executor, const LaneRun *run, int from, bool rest) {
    int last = executor->program->n_ops - 1, to = from;
    while (to < last && !stops_in(executor, to, from, rest))
        to++;
    executor->waiting = stops_in(executor, to, from, rest) ? to : -1;
    Stretch stretch = {.rest = rest, .from = from, .to = to};
    return run_segment(executor, &executor->forward[from + rest], run, &stretch);
}

Status executor_forward(Executor *executor, const LaneRun *run) {
    return walk_forward(executor, run, 0, false);
}

Status executor_forward_on(Executor *executor, const LaneRun *run) {
    return walk_forward(executor, run, executor->waiting, true);
}

static Status walk_backward(Executor *executor, const LaneRun *run, int from, bool rest,
                            ReadyFn ready, void *context) {
    const Program *program = executor->program;
    executor->waiting = -1;
    for (int o = from; o >= 0; o--) {
        bool stops = stops_in(executor, o, from, rest);
        if (!stops && !executor->cut[o] && o > 0)
            continue;
        Stretch stretch = {.backward = true, .rest = rest, .from = from, .to = o};
        TRY(run_segment(executor, &executor->backward[2 * o + stops], run, &stretch));
        if (stops) {
            executor->waiting = o;
            break;
        }
        if (executor->cut[o] && ready)
            TRY(ready(context, program->model->params[program->view[2 * o]].offset));
        from = o - 1;
        rest = false;
    }
    return ST_OK;
}

Status executor_backward(Executor *executor, const LaneRun *run, ReadyFn ready, void *context) {
    return walk_backward(executor, run, executor->program->n_ops - 1, false, ready, context);
}

Status executor_backward_on(Executor *executor, const LaneRun *run, ReadyFn ready, void *context) {
    return walk_backward(executor, run, executor->waiting, true, ready, context);
}

int executor_shared(const Executor *executor) {
    return executor->waiting < 0 ? 0 : executor->program->plans[executor->waiting]->shared;
}

Status executor_get_shared(Executor *executor, double *lane) {
    return executor->program->device->ops->download(
        executor->stream, lane, executor->shared, (size_t)executor_shared(executor) * sizeof *lane);
}

Status executor_put_shared(Executor *executor, const double *sums) {
    return executor->program->device->ops->upload(executor->stream, executor->shared, sums,
                                                  (size_t)executor_shared(executor) * sizeof *sums);
}

Status executor_results(Executor *executor, void *loss, int32_t *predicted) {
    const DeviceOps *ops = executor->program->device->ops;
    size_t batch = (size_t)executor->program->batch;
    TRY(ops->download(executor->stream, loss, executor->loss,
                      batch * dtype_size(executor->program->device->real)));
    return ops->download(executor->stream, predicted, executor->predicted,
                         batch * sizeof *predicted);
}

const void *executor_stats(const Executor *executor) {
    return executor->stats;
}

Tensor executor_logits(const Executor *executor) {
    return placed(executor, executor->program->input[executor->program->n_ops - 1][0], false);
}

Status executor_judge(Executor *executor, const LaneRun *run) {
    int last = executor->program->n_ops - 1;
    return run_ops(executor, run, &(Stretch){.from = last, .to = last});
}

Status executor_time(Executor *executor, bool on) {
    free(executor->times);
    executor->times = NULL;
    if (!on)
        return ST_OK;
    executor->times = calloc((size_t)executor->program->n_ops, sizeof *executor->times);
    TRY_ALLOC(executor->times);
    for (int o = 0; o < executor->program->n_ops; o++) {
        const OpPlan *plan = executor->program->plans[o];
        executor->times[o] = (OpTime){.layer = plan->desc.layer, .arithmetic = plan->arithmetic};
    }
    return ST_OK;
}

Status executor_trace(Executor *executor, TraceRow *row) {
    op_trace_close(executor->trace);
    executor->trace = NULL;
    return row ? op_trace_open(executor->program->device, executor->program->n_ops, row,
                               &executor->trace)
               : ST_OK;
}

Status executor_traced(Executor *executor) {
    return op_trace_flush(executor->trace);
}

OpTime executor_op_time(const Executor *executor, int op) {
    return executor->times[op];
}
