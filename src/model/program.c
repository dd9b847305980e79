/* program: from a model to planned ops on a device. See program.h.
 *
 * Four passes, each a pure function of (model, batch, device): layers become ops (fuse.c); tensors
 * get their layouts; ops are planned with the gradient mode of each input; all buffers of an
 * executor are placed by lifetime. */
#include "program_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void find_views(Program *program, const OpDesc *descs) {
    const Model *model = program->model;
    for (int o = 0; o < program->n_ops; o++) {
        int *view = &program->view[2 * o];
        view[0] = view[1] = -1;
        for (int i = model->n_params - 1; i >= 0; i--) {
            if (model->params[i].layer == descs[o].index)
                view[0] = i;
        }
        for (int i = model->n_running - 1; i >= 0; i--) {
            if (model->running[i].layer == descs[o].index)
                view[1] = i;
        }
    }
}

/* What the device's rule of layouts sees of the ops. */
static void list_tensors(const Program *program, const OpDesc *descs, OpTensors *ops) {
    for (int o = 0; o < program->n_ops; o++) {
        ops[o] = (OpTensors){.layer = descs[o].layer,
                             .n_in = descs[o].n_in,
                             .out = o + 1 < program->n_ops ? o + 1 : -1};
        memcpy(ops[o].in, program->input[o], sizeof ops[o].in);
    }
}

/* Shapes, dtypes and, by the device's rule, layouts of all activations. */
static Status lay_out_tensors(Program *program, const OpDesc *descs) {
    DType real = program->device->real;
    Shape shape = program->model->image;
    OpTensors *ops = calloc((size_t)program->model->n_layers, sizeof *ops);
    TRY_ALLOC(ops);
    list_tensors(program, descs, ops);
    for (int o = 0; o < program->n_ops; o++) { /* tensor o: the image, or the output of op o - 1 */
        if (o > 0)
            shape = descs[o - 1].layer->out;
        shape.n = program->batch;
        program->tensors[o] = (Tensor){.shape = shape,
                                       .dtype = real,
                                       .layout = LAYOUT_PLAIN,
                                       .bytes = (size_t)shape_count(shape) * dtype_size(real)};
    }
    Status status = program->device->ops->layouts(program->device, ops, program->n_ops,
                                                  program->tensors, program->n_ops);
    free(ops);
    TRY(status);
    for (int o = 0; o + 1 < program->n_ops; o++) {
        const Layer *layer = descs[o].layer;
        bool keeps = layer_type(layer->kind)->elements == ELEMENTS_REAL;
        if (keeps && program->tensors[o + 1].dtype != real)
            return FAIL(ST_INTERNAL, "the %s backend narrows the output of layer %s",
                        program->device->ops->name, layer->name);
    }
    return ST_OK;
}

static bool reads(const Program *program, int op, int tensor) {
    for (int i = 0; i < LAYER_INPUTS_MAX; i++) {
        if (program->input[op][i] == tensor)
            return true;
    }
    return false;
}

/* Which of a tensor's readers assigns its gradient: the one whose backward runs first. */
static void set_gradient_modes(const Program *program, OpDesc *descs) {
    for (int o = 0; o < program->n_ops; o++) {
        for (int i = 0; i < descs[o].n_in; i++) {
            int t = program->input[o][i];
            bool first = true;
            for (int earlier = 0; earlier < i; earlier++)
                first = first && program->input[o][earlier] != t;
            for (int later = o + 1; later < program->n_ops; later++)
                first = first && !reads(program, later, t);
            descs[o].grad_in[i] = !program->training || t == 0 ? GRAD_NONE
                                  : first                      ? GRAD_ASSIGN
                                                               : GRAD_ADD;
        }
    }
}

static Status plan_ops(Program *program, OpDesc *descs) {
    Device *device = program->device;
    for (int o = 0; o < program->n_ops; o++) {
        OpDesc *desc = &descs[o];
        const Op *op = device->ops->ops[desc->layer->kind];
        if (!op)
            return FAIL(ST_DEVICE, "layer %s (line %d of the model): the %s backend has no %s",
                        desc->layer->name, desc->layer->line, device->ops->name,
                        layer_type(desc->layer->kind)->name);
        for (int i = 0; i < desc->n_in; i++)
            desc->in[i] = program->tensors[program->input[o][i]];
        if (o + 1 < program->n_ops)
            desc->out = program->tensors[o + 1];
        desc->keeps_form = program->keeps_forms;
        Status status = op->plan(device, desc, &program->plans[o]);
        if (status != ST_OK) {
            status_prefix("layer %s", desc->layer->name);
            status_trace(__FILE__, __LINE__);
            return status;
        }
    }
    return ST_OK;
}

static void extend(ArenaBuffer *buffer, int time) {
    if (time < buffer->birth)
        buffer->birth = time;
    if (time > buffer->death)
        buffer->death = time;
}

/* Lifetimes of activations, gradients and saved memory, then their places. */
static Status plan_memory(Program *program) {
    int n = program->n_ops;
    ArenaBuffer *activation = program->buffers;
    ArenaBuffer *gradient = program->buffers + n;
    ArenaBuffer *saved = program->buffers + 2 * n;
    for (int i = 0; i < n; i++) {
        activation[i] = (ArenaBuffer){.bytes = program->tensors[i].bytes, .birth = i - 1};
        activation[i].death = i - 1;
        gradient[i] = (ArenaBuffer){.birth = 2 * n, .death = -1};
    }
    for (int o = 0; o < n; o++) {
        const OpPlan *plan = program->plans[o];
        int backward = 2 * n - 1 - o;
        saved[o] = (ArenaBuffer){.bytes = plan->saved_bytes, .birth = o, .death = o};
        if (program->training)
            extend(&saved[o], backward);
        if (plan->scratch_bytes > program->scratch_bytes)
            program->scratch_bytes = plan->scratch_bytes;
        if (plan->shared > program->shared_most)
            program->shared_most = plan->shared;
        for (int i = 0; i < plan->desc.n_in; i++) {
            int t = program->input[o][i];
            extend(&activation[t], o);
            if (program->training && (plan->backward_reads_in >> i & 1) != 0)
                extend(&activation[t], backward);
            if (plan->desc.grad_in[i] != GRAD_NONE) {
                gradient[t].bytes = program->tensors[t].bytes;
                extend(&gradient[t], backward);
            }
        }
        if (program->training && o + 1 < n) {
            if (plan->backward_reads_out)
                extend(&activation[o + 1], backward);
            extend(&gradient[o + 1], backward);
        }
    }
    return arena_plan(program->buffers, 3 * n, &program->arena_bytes);
}

static Status allocate_packed(Program *program) {
    size_t total = 0;
    for (int o = 0; o < program->n_ops; o++) {
        program->packed_at[o] = total;
        total += (program->plans[o]->packed_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    }
    if (total > 0)
        TRY(program->device->ops->alloc(program->device, total, &program->packed));
    return ST_OK;
}

static Status build(Device *device, const Model *model, int64_t batch, bool training,
                    bool keeps_forms, Program **out) {
    Status status = ST_OK;
    size_t n = (size_t)model->n_layers;
    OpDesc *descs = calloc(n, sizeof *descs);
    int *output_of = calloc(n, sizeof *output_of);
    Program *program = calloc(1, sizeof *program);
    if (!descs || !output_of || !program) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    program->device = device;
    program->model = model;
    program->batch = batch;
    program->training = training;
    program->keeps_forms = keeps_forms;
    program->input = calloc(n, sizeof *program->input);
    program->plans = calloc(n, sizeof *program->plans);
    program->tensors = calloc(n, sizeof *program->tensors);
    program->packed_at = calloc(n, sizeof *program->packed_at);
    program->view = calloc(n, 2 * sizeof *program->view);
    program->buffers = calloc(n, 3 * sizeof *program->buffers);
    if (!program->input || !program->plans || !program->tensors || !program->packed_at ||
        !program->view || !program->buffers) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    program_list_ops(program, descs, output_of);
    find_views(program, descs);
    TRY_DONE(lay_out_tensors(program, descs));
    set_gradient_modes(program, descs);
    TRY_DONE(plan_ops(program, descs));
    TRY_DONE(plan_memory(program));
    TRY_DONE(allocate_packed(program));
    *out = program;
    program = NULL;
done:
    program_free(program);
    free(output_of);
    free(descs);
    return status;
}

Status program_build(Device *device, const Model *model, int64_t batch, bool training,
                     Program **program) {
    return build(device, model, batch, training, false, program);
}

Status program_build_kept(Device *device, const Model *model, int64_t batch, Program **program) {
    return build(device, model, batch, true, true, program);
}

void program_forms(const Program *program, TermForm *form) {
    for (int o = 0; o < program->n_ops; o++) {
        const OpPlan *plan = program->plans[o];
        for (int i = 0; i < plan->desc.layer->n_params; i++)
            form[program->view[2 * o] + i] = plan->grad_form[i];
    }
}

void program_free(Program *program) {
    if (!program)
        return;
    for (int o = 0; program->plans && o < program->n_ops; o++) {
        if (program->plans[o])
            program->plans[o]->op->unplan(program->plans[o]);
    }
    program->device->ops->release(program->device, program->packed);
    free(program->input);
    free(program->plans);
    free(program->tensors);
    free(program->packed_at);
    free(program->view);
    free(program->buffers);
    free(program);
}

int64_t program_batch(const Program *program) {
    return program->batch;
}

int program_ops(const Program *program) {
    return program->n_ops;
}

int program_shared(const Program *program, int op) {
    return program->plans[op]->shared;
}

int program_shared_most(const Program *program) {
    return program->shared_most;
}

bool program_own_kernels(const Program *program, char *text, size_t room) {
    size_t used = 0;
    for (int o = 0; o < program->n_ops; o++) {
        const OpPlan *plan = program->plans[o];
        Shape s = plan->desc.out.shape;
        if (plan->own_kernels && used < room)
            used += (size_t)snprintf(
                text + used, room - used, "%s%s %" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64,
                used > 0 ? ", " : "", plan->desc.layer->name, s.n, s.c, s.h, s.w);
    }
    return used > 0;
}

Status program_pack(Program *program, Stream *stream, const Weights *weights, int op) {
    const OpPlan *plan = program->plans[op];
    Tensor param[LAYER_PARAMS_MAX] = {0};
    if (plan->packed_bytes == 0)
        return ST_OK;
    program_params(program, op, weights->weight, param);
    return plan->op->pack(stream, plan, param, (char *)program->packed + program->packed_at[op]);
}

Status program_repack(Program *program, Stream *stream, const Weights *weights) {
    for (int o = 0; o < program->n_ops; o++) {
        if (program->view[2 * o] >= 0)
            TRY(program_pack(program, stream, weights, o));
    }
    return ST_OK;
}

/* A plain tensor over elements [offset, offset + count) of a flat buffer. */
static Tensor flat_view(const Program *program, void *flat, const ParamView *view) {
    size_t size = dtype_size(program->device->real);
    return (Tensor){.shape = {view->count, 1, 1, 1},
                    .dtype = program->device->real,
                    .layout = LAYOUT_PLAIN,
                    .bytes = (size_t)view->count * size,
                    .data = flat ? (char *)flat + (size_t)view->offset * size : NULL};
}

void program_params(const Program *program, int op, void *flat, Tensor *tensors) {
    const Layer *layer = program->plans[op]->desc.layer;
    for (int i = 0; i < layer->n_params; i++)
        tensors[i] = flat_view(program, flat, &program->model->params[program->view[2 * op] + i]);
}

void program_running(const Program *program, int op, void *flat, Tensor *tensors) {
    const Layer *layer = program->plans[op]->desc.layer;
    for (int i = 0; i < layer->n_running; i++)
        tensors[i] =
            flat_view(program, flat, &program->model->running[program->view[2 * op + 1] + i]);
}
