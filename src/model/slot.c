/* slot: the memory in which one lane is computed, and the walk through a program. See program.h.
 *
 * The walk is cut into segments: forward is one; backward ends one wherever `ready` is to be
 * called. A device that records (DeviceOps.record_begin) runs each segment op by op the first time,
 * which lets its libraries load what they need, records it the second time, and replays it from
 * then on.
 */
#include "program_internal.h"

#include <stdlib.h>

#include "lockstep/clock.h"

typedef struct Segment {
    bool warm;            /* has run op by op */
    Recording *recording; /* NULL: none yet */
} Segment;

enum { TIMING_SECONDS = 300 }; /* longest wait for one op */

struct Slot {
    Program *program;
    Stream *stream;
    void *arena, *scratch; /* device memory */
    void *stats;           /* [running_flat real] */
    void *labels;          /* [batch] int32 */
    Placement *placement;  /* [batch] device memory, where the device makes images; else NULL */
    void *loss;            /* [batch] real */
    void *predicted;       /* [batch] int32 */
    OpBound **bound;       /* [n_ops] */
    OpTime *times;         /* [n_ops], NULL unless timing */
    bool *cut;             /* [n_ops] backward ends a segment behind this op */
    Segment forward;
    Segment *backward; /* [n_ops] of the segment that ends with an op */
};

static void *at(void *base, size_t offset) {
    return (char *)base + offset;
}

/* Tensor `t` with its place in the arena; for a gradient, of the buffer that mirrors it. */
static Tensor placed(const Slot *slot, int t, bool gradient) {
    const Program *program = slot->program;
    const ArenaBuffer *buffer = &program->buffers[gradient ? program->n_ops + t : t];
    Tensor tensor = program->tensors[t];
    tensor.data = buffer->bytes > 0 ? at(slot->arena, buffer->offset) : NULL;
    return tensor;
}

static Tensor per_image(void *data, DType dtype, int64_t batch) {
    return (Tensor){.shape = {batch, 1, 1, 1},
                    .dtype = dtype,
                    .layout = LAYOUT_PLAIN,
                    .bytes = (size_t)batch * dtype_size(dtype),
                    .data = data};
}

static void fill_memory(const Slot *slot, int o, const Weights *weights, void *gradient,
                        OpMemory *memory) {
    const Program *program = slot->program;
    const OpDesc *desc = &program->plans[o]->desc;
    *memory = (OpMemory){0};
    for (int i = 0; i < desc->n_in; i++) {
        memory->in[i] = placed(slot, program->input[o][i], false);
        if (desc->grad_in[i] != GRAD_NONE)
            memory->grad_in[i] = placed(slot, program->input[o][i], true);
    }
    if (o + 1 < program->n_ops) {
        memory->out = placed(slot, o + 1, false);
        if (program->training)
            memory->grad_out = placed(slot, o + 1, true);
    } else {
        memory->labels = per_image(slot->labels, DT_I32, program->batch);
        memory->loss = per_image(slot->loss, program->device->real, program->batch);
        memory->predicted = per_image(slot->predicted, DT_I32, program->batch);
    }
    program_params(program, o, weights->weight, memory->param);
    program_running(program, o, weights->running, memory->running);
    if (program->training) {
        program_params(program, o, gradient, memory->grad_param);
        program_running(program, o, slot->stats, memory->stats);
    }
    memory->saved = at(slot->arena, program->buffers[2 * program->n_ops + o].offset);
    memory->scratch = slot->scratch;
    memory->packed = program->packed ? at(program->packed, program->packed_at[o]) : NULL;
}

static Status allocate(Slot *slot) {
    const Program *program = slot->program;
    Device *device = program->device;
    size_t batch = (size_t)program->batch, real = dtype_size(device->real);
    TRY(device->ops->alloc(device, program->arena_bytes, &slot->arena));
    if (program->scratch_bytes > 0)
        TRY(device->ops->alloc(device, program->scratch_bytes, &slot->scratch));
    if (program->model->running_flat > 0)
        TRY(device->ops->alloc(device, (size_t)program->model->running_flat * real, &slot->stats));
    TRY(device->ops->alloc(device, batch * sizeof(int32_t), &slot->labels));
    if (device->ops->load_images)
        TRY(device->ops->alloc(device, batch * sizeof *slot->placement, (void **)&slot->placement));
    TRY(device->ops->alloc(device, batch * real, &slot->loss));
    TRY(device->ops->alloc(device, batch * sizeof(int32_t), &slot->predicted));
    return ST_OK;
}

Status slot_open(Program *program, Stream *stream, const Weights *weights, void *gradient,
                 Slot **out) {
    Status status = ST_OK;
    Slot *slot = calloc(1, sizeof *slot);
    TRY_ALLOC(slot);
    slot->program = program;
    slot->stream = stream;
    slot->bound = calloc((size_t)program->n_ops, sizeof *slot->bound);
    if (!slot->bound) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    slot->cut = calloc((size_t)program->n_ops, sizeof *slot->cut);
    slot->backward = calloc((size_t)program->n_ops, sizeof *slot->backward);
    if (!slot->cut || !slot->backward) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    for (int o = 0; o < program->n_ops; o++)
        slot->cut[o] = program->view[2 * o] >= 0;
    TRY_DONE(allocate(slot));
    for (int o = 0; o < program->n_ops; o++) {
        OpMemory memory;
        fill_memory(slot, o, weights, gradient, &memory);
        TRY_DONE(program->plans[o]->op->bind(program->plans[o], &memory, &slot->bound[o]));
    }
    *out = slot;
    slot = NULL;
done:
    slot_close(slot);
    return status;
}

static void forget(const Slot *slot, Segment *segment) {
    if (segment->recording)
        slot->program->device->ops->forget(segment->recording);
    *segment = (Segment){0};
}

void slot_close(Slot *slot) {
    if (!slot)
        return;
    Device *device = slot->program->device;
    for (int o = 0; slot->bound && o < slot->program->n_ops; o++) {
        if (slot->bound[o])
            slot->program->plans[o]->op->unbind(slot->bound[o]);
    }
    forget(slot, &slot->forward);
    for (int o = 0; slot->backward && o < slot->program->n_ops; o++)
        forget(slot, &slot->backward[o]);
    void *memory[] = {slot->arena,     slot->scratch, slot->stats,    slot->labels,
                      slot->placement, slot->loss,    slot->predicted};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        device->ops->release(device, memory[i]);
    free(slot->bound);
    free(slot->times);
    free(slot->cut);
    free(slot->backward);
    free(slot);
}

size_t program_slot_bytes(const Program *program) {
    size_t real = dtype_size(program->device->real);
    return program->arena_bytes + program->scratch_bytes +
           (size_t)program->model->running_flat * real +
           (size_t)program->batch * (real + 2 * sizeof(int32_t) +
                                     (program->device->ops->load_images ? sizeof(Placement) : 0));
}

static Status load_labels(Slot *slot, const int32_t *labels) {
    return slot->program->device->ops->upload(slot->stream, slot->labels, labels,
                                              (size_t)slot->program->batch * sizeof *labels);
}

Status slot_load(Slot *slot, const float *images, const int32_t *labels) {
    Tensor image = placed(slot, 0, false);
    TRY(slot->program->device->ops->upload_images(slot->stream, &image, images));
    return load_labels(slot, labels);
}

Status slot_load_records(Slot *slot, const uint8_t *records, const Placement *placement,
                         const PixelScale *scale, const int32_t *labels) {
    const DeviceOps *ops = slot->program->device->ops;
    Tensor image = placed(slot, 0, false);
    TRY(ops->upload(slot->stream, slot->placement, placement,
                    (size_t)slot->program->batch * sizeof *placement));
    TRY(ops->load_images(slot->stream, &image, records, slot->placement, scale));
    return load_labels(slot, labels);
}

void slot_cut(Slot *slot, const int64_t *begins, int n) {
    const Program *program = slot->program;
    int64_t complete = program->model->flat;
    for (int o = program->n_ops - 1; o >= 0; o--) {
        int view = program->view[2 * o];
        int64_t begin = view >= 0 ? program->model->params[view].offset : complete;
        slot->cut[o] = false;
        for (int i = 0; i < n; i++)
            slot->cut[o] |= begins[i] >= begin && begins[i] < complete;
        complete = begin;
        forget(slot, &slot->backward[o]);
    }
}

/* Ops `from` to `to`, both included, forward or, where `from` is not below, backward. */
static Status run_ops(Slot *slot, const LaneRun *run, bool backward, int from, int to) {
    const Program *program = slot->program;
    const DeviceOps *ops = program->device->ops;
    for (int o = from; backward ? o >= to : o <= to; o += backward ? -1 : 1) {
        const Op *op = program->plans[o]->op;
        double start = slot->times ? clock_now() : 0;
        TRY((backward ? op->backward : op->forward)(slot->stream, slot->bound[o], run));
        if (!slot->times)
            continue;
        TRY(ops->sync(slot->stream, TIMING_SECONDS));
        *(backward ? &slot->times[o].backward_s : &slot->times[o].forward_s) = clock_now() - start;
    }
    return ST_OK;
}

/* Whether what is enqueued for this lane is the same as for any other one. */
static bool can_replay(const Slot *slot, const LaneRun *run) {
    bool fixed = slot->program->device->ops->record_begin != NULL && slot->times == NULL;
    for (size_t i = 0; i < sizeof run->dropout_mask / sizeof *run->dropout_mask; i++)
        fixed = fixed && run->dropout_mask[i] == NULL;
    return fixed;
}

static Status run_segment(Slot *slot, Segment *segment, const LaneRun *run, bool backward, int from,
                          int to) {
    const DeviceOps *ops = slot->program->device->ops;
    if (!can_replay(slot, run) || !segment->warm) {
        segment->warm = true;
        return run_ops(slot, run, backward, from, to);
    }
    TRY(ops->lane_begin(slot->stream, run));
    if (!segment->recording) {
        TRY(ops->record_begin(slot->stream));
        Status status = run_ops(slot, run, backward, from, to);
        TRY(ops->record_end(slot->stream, &segment->recording)); /* also of one that failed */
        TRY(status);
    }
    return ops->replay(slot->stream, segment->recording);
}

Status slot_forward(Slot *slot, const LaneRun *run) {
    return run_segment(slot, &slot->forward, run, false, 0, slot->program->n_ops - 1);
}

Status slot_backward(Slot *slot, const LaneRun *run, ReadyFn ready, void *context) {
    const Program *program = slot->program;
    int from = program->n_ops - 1;
    for (int o = from; o >= 0; o--) {
        if (!slot->cut[o] && o > 0)
            continue;
        TRY(run_segment(slot, &slot->backward[o], run, true, from, o));
        if (slot->cut[o] && ready)
            TRY(ready(context, program->model->params[program->view[2 * o]].offset));
        from = o - 1;
    }
    return ST_OK;
}

Status slot_results(Slot *slot, void *loss, int32_t *predicted) {
    const DeviceOps *ops = slot->program->device->ops;
    size_t batch = (size_t)slot->program->batch;
    TRY(ops->download(slot->stream, loss, slot->loss,
                      batch * dtype_size(slot->program->device->real)));
    return ops->download(slot->stream, predicted, slot->predicted, batch * sizeof *predicted);
}

const void *slot_stats(const Slot *slot) {
    return slot->stats;
}

Tensor slot_logits(const Slot *slot) {
    return placed(slot, slot->program->input[slot->program->n_ops - 1][0], false);
}

Status slot_time(Slot *slot, bool on) {
    free(slot->times);
    slot->times = NULL;
    if (!on)
        return ST_OK;
    slot->times = calloc((size_t)slot->program->n_ops, sizeof *slot->times);
    TRY_ALLOC(slot->times);
    for (int o = 0; o < slot->program->n_ops; o++)
        slot->times[o].layer = slot->program->plans[o]->desc.layer;
    return ST_OK;
}

OpTime slot_op_time(const Slot *slot, int op) {
    return slot->times[op];
}
