/* execute: a plan with its pointers becomes an op of the stream, which runs the operations one
 * after another. Virtual tensors live only there. The workspace is worthless before and after. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desc.h"

typedef struct Bound { /* a tensor in memory, by its unique id */
    int64_t uid;
    void *at;       /* device memory */
    float by_value; /* where it is passed by value */
} Bound;

typedef struct Call {
    const Program *program;
    Bound bound[POINTERS_MAX];
    int bounds;
    void *workspace;
} Call;

typedef struct Inner { /* a virtual tensor */
    int64_t uid;
    float *value;
} Inner;

struct Execution {
    SimOp *op;
    const Call *call;
    Inner inner[OPERATIONS_MAX];
    int inners;
    float *scratch[2 * PLACES * OPERATIONS_MAX];
    int scratches;
};

static const Bound *find(const Call *call, int64_t uid) {
    for (int i = 0; i < call->bounds; i++) {
        if (call->bound[i].uid == uid)
            return &call->bound[i];
    }
    sim_report("the variant pack has no pointer for tensor %ld", (long)uid);
}

static float *buffer(Execution *e, int64_t count) {
    float *value = calloc((size_t)count + 1, sizeof *value);
    if (!value)
        sim_report("out of host memory");
    e->scratch[e->scratches++] = value;
    return value;
}

/* The place in memory of element i, counted in the order of the dimensions. */
static int64_t place_of(const SimTensor *t, int64_t i) {
    int64_t place = 0;
    for (int d = t->dims - 1; d >= 0; d--) {
        place += i % t->dim[d] * t->stride[d];
        i /= t->dim[d];
    }
    return place;
}

static float of_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7fff : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float fetch(const void *memory, cudnnDataType_t type, int64_t i) {
    switch (type) {
    case CUDNN_DATA_FLOAT:
        return ((const float *)memory)[i];
    case CUDNN_DATA_BFLOAT16:
        return of_bf16(((const uint16_t *)memory)[i]);
    case CUDNN_DATA_INT8:
        return ((const int8_t *)memory)[i];
    case CUDNN_DATA_BOOLEAN:
        return ((const uint8_t *)memory)[i / 8] >> i % 8 & 1;
    default:
        sim_report("reading cuDNN's data type %d is not simulated", (int)type);
    }
}

static void put_bit(uint8_t *byte, int bit, bool value) {
    *byte = (uint8_t)((*byte & ~(1 << bit)) | value << bit);
}

static void put(void *memory, cudnnDataType_t type, int64_t i, float value) {
    switch (type) {
    case CUDNN_DATA_FLOAT:
        ((float *)memory)[i] = value;
        break;
    case CUDNN_DATA_BFLOAT16:
        ((uint16_t *)memory)[i] = to_bf16(value);
        break;
    case CUDNN_DATA_INT8:
        ((int8_t *)memory)[i] = (int8_t)value;
        break;
    case CUDNN_DATA_BOOLEAN:
        put_bit(&((uint8_t *)memory)[i / 8], (int)(i % 8), value != 0);
        break;
    default:
        sim_report("writing cuDNN's data type %d is not simulated", (int)type);
    }
}

View execution_load(Execution *e, const Operation *op, Place place) {
    const SimTensor *t = &op->tensor[place];
    View view = {t, NULL};
    for (int i = 0; t->is_virtual && i < e->inners; i++) {
        if (e->inner[i].uid == t->uid)
            view.value = e->inner[i].value;
    }
    if (view.value)
        return view;
    view.value = buffer(e, t->count);
    const Bound *bound = find(e->call, t->uid);
    if (t->by_value) {
        view.value[0] = bound->by_value;
        return view;
    }
    const void *memory = sim_read(e->op, bound->at, t->bytes, op->name);
    for (int64_t i = 0; i < t->count; i++)
        view.value[i] = fetch(memory, t->type, place_of(t, i));
    return view;
}

View execution_start(Execution *e, const Operation *op, Place place) {
    return (View){&op->tensor[place], buffer(e, op->tensor[place].count)};
}

void execution_store(Execution *e, const Operation *op, View view) {
    const SimTensor *t = view.tensor;
    if (t->is_virtual) {
        for (int64_t i = 0; t->type == CUDNN_DATA_BFLOAT16 && i < t->count; i++)
            view.value[i] = of_bf16(to_bf16(view.value[i]));
        e->inner[e->inners++] = (Inner){t->uid, view.value};
        return;
    }
    void *memory = sim_write(e->op, find(e->call, t->uid)->at, t->bytes, op->name);
    for (int64_t i = 0; i < t->count; i++)
        put(memory, t->type, place_of(t, i), view.value[i]);
}

/* TF32 keeps 10 bits of the fraction. */
float execution_rounded(const Execution *e, float value) {
    uint32_t bits;
    if (!e->call->program->tf32 || value != value)
        return value;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double execution_sum(const Execution *e, double sum) {
    const Program *program = e->call->program;
    int lean = program->lean;
    if (program->wavers)
        lean = (int)(((unsigned)*program->runs ^ (unsigned)getpid()) * 2654435761u >> 31);
    return lean ? (double)nextafterf((float)sum, (float)lean * 1e30f) : sum;
}

static void run_operation(Execution *e, const Operation *op) {
    switch (op->type) {
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        run_matmul(e, op);
        break;
    case CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR:
        (op->by_row ? run_layernorm_forward : run_norm_forward)(e, op);
        break;
    case CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR:
        (op->by_row ? run_layernorm_backward : run_norm_backward)(e, op);
        break;
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        run_pointwise(e, op);
        break;
    case CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR:
        run_resample(e, op);
        break;
    default:
        run_convolution(e, op);
    }
}

/* $SIMGPU_HANG names an operation that never ends. */
static SimTurn run(SimOp *sim, void *arg) {
    Call *call = arg;
    const char *hangs = getenv("SIMGPU_HANG");
    if (hangs && strcmp(hangs, rules_main(call->program)->name) == 0)
        return SIM_AGAIN;
    Execution e = {.op = sim, .call = call};
    size_t room = (size_t)call->program->workspace;
    if (room > 0)
        sim_forget(sim, call->workspace, room, "workspace");
    sim_cost(sim, call->program->cost);
    for (int i = 0; i < call->program->ops; i++)
        run_operation(&e, &call->program->op[i]);
    ++*call->program->runs;
    for (int i = 0; i < e.scratches; i++)
        free(e.scratch[i]);
    return SIM_DONE;
}

/* What can be checked before it runs: alignment, and tensors that lie over each other or
 * over the workspace. */
static void check_pointers(const Call *call, const SimTensor *t, const SimTensor *other) {
    const char *at = find(call, t->uid)->at;
    if ((uintptr_t)at % (uintptr_t)t->alignment)
        sim_report("tensor %ld lies at %p, which is not aligned to the %ld bytes its descriptor "
                   "promises",
                   (long)t->uid, (const void *)at, (long)t->alignment);
    const char *to = other ? find(call, other->uid)->at : NULL;
    if (other && other->uid != t->uid && at < to + other->bytes && to < at + t->bytes)
        sim_report("tensor %ld, an output, overlaps tensor %ld", (long)t->uid, (long)other->uid);
    const char *room = call->workspace;
    if (at < room + call->program->workspace && room < at + t->bytes)
        sim_report("tensor %ld overlaps the workspace", (long)t->uid);
}

static void check_call(const Call *call) {
    static const Place outputs[] = {P_Y, P_DX, P_DW, P_DSCALE, P_DBIAS, P_NEW_MEAN, P_NEW_VAR};
    for (int i = 0; i < call->program->ops; i++) {
        const Operation *op = &call->program->op[i];
        for (int place = 0; place < PLACES; place++) {
            const SimTensor *t = &op->tensor[place];
            if (!t->present || t->is_virtual || t->by_value)
                continue;
            check_pointers(call, t, NULL);
            for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++) {
                const SimTensor *out = &op->tensor[outputs[o]];
                bool in_place = op->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
                if (out->present && !out->is_virtual && out != t && !in_place)
                    check_pointers(call, out, t);
            }
        }
    }
}

static void read_pack(const Descriptor *pack, Call *call) {
    const Attribute *ids = desc_find(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const Attribute *pointers = desc_find(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    const Attribute *workspace = desc_find(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    if (ids->count != pointers->count || ids->count > POINTERS_MAX)
        sim_report("a variant pack of %ld ids and %ld pointers", (long)ids->count,
                   (long)pointers->count);
    call->bounds = (int)ids->count;
    for (int i = 0; i < call->bounds; i++) {
        void *at = ((void **)pointers->data)[i];
        call->bound[i] = (Bound){.uid = ((const int64_t *)ids->data)[i], .at = at};
        if (at && !sim_is_device(at)) /* by value, or a mistake that the operation finds */
            memcpy(&call->bound[i].by_value, at, sizeof(float));
    }
    call->workspace = workspace ? *(void **)workspace->data : NULL;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_handle,
                                  cudnnBackendDescriptor_t pack_handle) {
    const Descriptor *plan = desc_of(plan_handle), *pack = desc_of(pack_handle);
    if (handle->destroyed || !plan->finalized || !pack->finalized)
        sim_report("cudnnBackendExecute: the handle is destroyed, or a descriptor not finalized");
    Call call = {.program = plan->program};
    if (call.program->broken)
        return desc_status(CUDNN_STATUS_EXECUTION_FAILED, "this engine cannot run");
    read_pack(pack, &call);
    if (call.program->workspace > 0 && !call.workspace)
        sim_report("cudnnBackendExecute: the plan needs a workspace of %ld bytes, none is given",
                   (long)call.program->workspace);
    check_call(&call);
    sim_lock();
    sim_enqueue(handle->stream, rules_main(call.program)->name, run, &call, sizeof call);
    sim_unlock();
    return CUDNN_STATUS_SUCCESS;
}
