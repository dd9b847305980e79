/* One row of the op table on one device. */
#include "op_run.h"

#include <stdlib.h>
#include <string.h>

GradMode op_grad_mode(const OpCase *row, int k) {
    if (row->image || row->evaluation || k >= op_case_inputs(row))
        return GRAD_NONE;
    bool unset = true;
    for (int i = 0; i < LAYER_INPUTS_MAX; i++)
        unset = unset && row->grad_in[i] == GRAD_NONE;
    return unset ? GRAD_ASSIGN : row->grad_in[k];
}

bool op_has_grad(const OpCase *row, int k) {
    return k < op_case_tensors(row) && op_grad_mode(row, k) != GRAD_NONE;
}

bool op_supported(const Device *device, const OpCase *row) {
    LayerKind kind = op_case_kind(row);
    return (!row->relu || (device->fuses_relu >> kind & 1) != 0) &&
           (!row->add || (device->fuses_add >> kind & 1) != 0);
}

static Status allocate(OpRun *run, size_t bytes, void **memory) {
    if (bytes == 0) {
        *memory = NULL;
        return ST_OK;
    }
    if (run->n_blocks == OP_RUN_BLOCKS_MAX)
        return FAIL(ST_INTERNAL, "OP_RUN_BLOCKS_MAX is too small");
    TRY(run->device->ops->alloc(run->device, bytes, memory));
    run->block[run->n_blocks++] = *memory;
    run->nans_bytes = bytes > run->nans_bytes ? bytes : run->nans_bytes;
    return ST_OK;
}

/* Memory for `model`'s shape and layout. */
static Status allocate_like(OpRun *run, const Tensor *model, Tensor *tensor) {
    *tensor = *model;
    return allocate(run, tensor->bytes, &tensor->data);
}

static Status allocate_plain(OpRun *run, Shape shape, DType dtype, Tensor *tensor) {
    size_t bytes = (size_t)shape_count(shape) * dtype_size(dtype);
    *tensor = (Tensor){shape, dtype, LAYOUT_PLAIN, bytes, NULL};
    return allocate(run, bytes, &tensor->data);
}

static void describe_op(OpRun *run, OpDesc *desc) {
    const OpCase *row = run->row;
    Shape out = run->layer.out;
    *desc = (OpDesc){
        .layer = &run->layer,
        .index = 3,
        .ordinal = OP_ORDINAL,
        .training = !row->evaluation,
        .add = row->add,
        .relu = row->relu,
        .n_in = op_case_inputs(row),
    };
    out.n = row->in.n;
    for (int k = 0; k < desc->n_in; k++)
        desc->in[k] = (Tensor){.shape = op_case_shape(row, k), .dtype = run->device->real};
    desc->out = (Tensor){.shape = out, .dtype = run->device->real};
    for (int k = 0; k < LAYER_INPUTS_MAX; k++)
        desc->grad_in[k] = op_grad_mode(row, k);
}

/* Lets the device choose layouts: over a program of an image and this op. */
static Status choose_layouts(OpRun *run, OpDesc *desc) {
    Tensor list[LAYER_INPUTS_MAX + 2];
    int n = 0;
    if (!run->row->image)
        list[n++] = (Tensor){.shape = {run->row->in.n, 3, 32, 32}, .dtype = run->device->real};
    int first = n;
    for (int k = 0; k < desc->n_in; k++)
        list[n++] = desc->in[k];
    list[n++] = desc->out;
    OpTensors op = {.layer = desc->layer, .n_in = desc->n_in, .out = n - 1};
    for (int k = 0; k < desc->n_in; k++)
        op.in[k] = run->row->same ? first : first + k;
    TRY(run->device->ops->layouts(run->device, &op, 1, list, n));
    for (int k = 0; k < desc->n_in; k++)
        desc->in[k] = list[op.in[k]];
    desc->out = list[n - 1];
    return ST_OK;
}

static size_t shared_bytes(const OpRun *run) {
    return (size_t)run->plan->shared * sizeof(double);
}

static Status allocate_memory(OpRun *run) {
    const OpDesc *desc = &run->plan->desc;
    DType dtype = run->device->real;
    OpMemory *memory = &run->memory;
    Shape per_image = {desc->out.shape.n, 1, 1, 1};

    for (int k = 0; k < desc->n_in; k++) {
        if (k >= op_case_tensors(run->row)) {
            memory->in[k] = memory->in[0];
            memory->grad_in[k] = memory->grad_in[0];
            continue;
        }
        TRY(allocate_like(run, &desc->in[k], &memory->in[k]));
        if (desc->grad_in[k] != GRAD_NONE)
            TRY(allocate_like(run, &desc->in[k], &memory->grad_in[k]));
    }
    TRY(allocate_like(run, &desc->out, &memory->out));
    if (desc->training)
        TRY(allocate_like(run, &desc->out, &memory->grad_out));
    for (int i = 0; i < run->layer.n_params; i++) {
        const int64_t *dim = run->layer.param[i].dim;
        Shape shape = {dim[0], dim[1], dim[2], dim[3]};
        TRY(allocate_plain(run, shape, dtype, &memory->param[i]));
        if (desc->training)
            TRY(allocate_plain(run, shape, dtype, &memory->grad_param[i]));
    }
    for (int i = 0; i < run->layer.n_running; i++) {
        Shape shape = {1, run->layer.running[i].dim[0], 1, 1};
        TRY(allocate_plain(run, shape, dtype,
                           desc->training ? &memory->stats[i] : &memory->running[i]));
    }
    if (op_case_type(run->row)->is_loss) {
        TRY(allocate_plain(run, per_image, DT_I32, &memory->labels));
        if (run->row->mixed)
            TRY(allocate_plain(run, (Shape){per_image.n, 2, 1, 1}, DT_I32, &memory->second));
        TRY(allocate_plain(run, per_image, dtype, &memory->loss));
        TRY(allocate_plain(run, per_image, DT_I32, &memory->predicted));
    }
    TRY(allocate(run, run->plan->saved_bytes, &memory->saved));
    TRY(allocate(run, run->plan->scratch_bytes, &memory->scratch));
    TRY(allocate(run, shared_bytes(run), (void **)&memory->shared));
    return allocate(run, run->plan->packed_bytes, &memory->packed);
}

Status op_run_plan(Device *device, const OpCase *row, OpRun *run) {
    OpDesc desc;
    memset(run, 0, sizeof *run);
    run->device = device;
    run->row = row;
    TRY(op_case_layer(row, &run->layer));
    describe_op(run, &desc);
    TRY(choose_layouts(run, &desc));
    const Op *op = device->ops->ops[run->layer.kind];
    if (!op)
        return FAIL(ST_DEVICE, "%s has no %s", device->ops->name, op_case_type(row)->name);
    return op->plan(device, &desc, &run->plan);
}

Status op_run_open(Device *device, const OpCase *row, OpRun *run) {
    TRY(op_run_plan(device, row, run));
    TRY(device->ops->stream_open(device, &run->stream));
    TRY(allocate_memory(run));
    run->nans = malloc(run->nans_bytes);
    TRY_ALLOC(run->nans);
    memset(run->nans, 0xff, run->nans_bytes);
    return run->plan->op->bind(run->plan, &run->memory, &run->bound);
}

/* What an op over the whole step shares is that of one lane, which is all there are. */
static Status run_pass(OpRun *run, bool backward, const LaneRun *lane) {
    const Op *op = run->plan->op;
    const RecordingOps *recording = run->device->ops->recording;
    if (!run->recorded[backward]) {
        TRY((backward ? op->backward : op->forward)(run->stream, run->bound, lane));
        return run->plan->shared == 0 ? ST_OK
                                      : (backward ? op->backward_rest : op->forward_rest)(
                                            run->stream, run->bound, lane);
    }
    TRY(recording->lane(run->stream, lane));
    return recording->replay(run->stream, run->recorded[backward]);
}

Status op_run_record(OpRun *run, const LaneRun *lane) {
    const RecordingOps *recording = run->device->ops->recording;
    for (int pass = 0; pass < 2; pass++) {
        Recording *kept;
        TRY(recording->begin(run->stream));
        TRY(run_pass(run, pass, lane));
        TRY(recording->end(run->stream, &kept));
        run->recorded[pass] = kept;
    }
    return ST_OK;
}

void op_run_close(OpRun *run) {
    for (int pass = 0; pass < 2; pass++) {
        if (run->recorded[pass])
            run->device->ops->recording->forget(run->recorded[pass]);
    }
    if (run->bound)
        run->plan->op->unbind(run->bound);
    if (run->plan)
        run->plan->op->unplan(run->plan);
    for (int i = run->n_blocks - 1; i >= 0; i--)
        run->device->ops->release(run->device, run->block[i]);
    if (run->stream)
        run->device->ops->stream_close(run->stream);
    free(run->nans);
    memset(run, 0, sizeof *run);
}

static Status spoil(OpRun *run, void *memory, size_t bytes) {
    return memory ? run->device->ops->upload(run->stream, memory, run->nans, bytes) : ST_OK;
}

static Status spoil_tensor(OpRun *run, const Tensor *tensor) {
    return spoil(run, tensor->data, tensor->bytes);
}

/* Plain tensors of `real`: copies with conversion; nothing where there is no memory. */
static Status write_plain(OpRun *run, const Tensor *tensor, const double *host) {
    return tensor->data ? run->device->ops->write_tensor(run->stream, tensor, host) : ST_OK;
}

static Status read_plain(OpRun *run, double *host, const Tensor *tensor) {
    return tensor->data ? run->device->ops->read_tensor(run->stream, host, tensor) : ST_OK;
}

Status op_run_forward(OpRun *run, const OpData *data, OpResult *result) {
    const DeviceOps *ops = run->device->ops;
    OpMemory *memory = &run->memory;
    for (int k = 0; k < op_case_tensors(run->row); k++)
        TRY(write_plain(run, &memory->in[k], data->in[k]));
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        TRY(write_plain(run, &memory->param[i], data->param[i]));
    for (int i = 0; i < LAYER_RUNNING_MAX; i++) {
        TRY(write_plain(run, &memory->running[i], data->running[i]));
        TRY(spoil_tensor(run, &memory->stats[i]));
    }
    if (memory->labels.data)
        TRY(ops->upload(run->stream, memory->labels.data, data->labels, memory->labels.bytes));
    if (memory->second.data)
        TRY(ops->upload(run->stream, memory->second.data, data->second, memory->second.bytes));
    TRY(spoil_tensor(run, &memory->out));
    TRY(spoil_tensor(run, &memory->loss));
    TRY(spoil_tensor(run, &memory->predicted));
    TRY(spoil(run, memory->saved, run->plan->saved_bytes));
    TRY(spoil(run, memory->scratch, run->plan->scratch_bytes));
    TRY(spoil(run, memory->packed, run->plan->packed_bytes));
    TRY(spoil(run, memory->shared, shared_bytes(run)));

    if (run->plan->op->pack)
        TRY(run->plan->op->pack(run->stream, run->plan, memory->param, memory->packed));
    TRY(run_pass(run, false, &data->run));

    if (op_case_type(run->row)->is_loss) {
        TRY(read_plain(run, result->loss, &memory->loss));
        TRY(ops->download(run->stream, result->predicted, memory->predicted.data,
                          memory->predicted.bytes));
    } else {
        TRY(read_plain(run, result->out, &memory->out));
    }
    for (int i = 0; i < LAYER_RUNNING_MAX; i++)
        TRY(read_plain(run, result->stats[i], &memory->stats[i]));
    return ops->sync(run->stream, 60);
}

Status op_run_backward(OpRun *run, const OpData *data, OpResult *result) {
    OpMemory *memory = &run->memory;
    const OpPlan *plan = run->plan;
    for (int k = 0; k < op_case_tensors(run->row); k++) {
        if ((plan->backward_reads_in & (run->row->same ? ~0u : 1u << k)) == 0)
            TRY(spoil_tensor(run, &memory->in[k]));
        if (plan->desc.grad_in[k] == GRAD_ADD)
            TRY(write_plain(run, &memory->grad_in[k], data->grad_before[k]));
        else
            TRY(spoil_tensor(run, &memory->grad_in[k]));
    }
    if (!plan->backward_reads_out)
        TRY(spoil_tensor(run, &memory->out));
    TRY(spoil(run, memory->scratch, plan->scratch_bytes));
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        TRY(spoil_tensor(run, &memory->grad_param[i]));
    TRY(write_plain(run, &memory->grad_out, data->grad_out));

    TRY(spoil(run, memory->shared, shared_bytes(run)));
    TRY(run_pass(run, true, &data->run));

    for (int k = 0; k < op_case_tensors(run->row); k++)
        TRY(read_plain(run, result->grad_in[k], &memory->grad_in[k]));
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        TRY(read_plain(run, result->grad_param[i], &memory->grad_param[i]));
    return run->device->ops->sync(run->stream, 60);
}
