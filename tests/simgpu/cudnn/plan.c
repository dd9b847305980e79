/* plan: finalizing descriptors, heuristics and engines.
 *
 * Without the real library every graph has the engines of the table below, so that a rule for
 * choosing one, or a choice by timing, is put to the test: whoever takes the wrong one computes
 * something else. In the order of the heuristics, in each of their modes:
 *   0  noted TENSOR_CORE: rounds fp32 inputs of products to TF32. As with the real library on a
 *      GPU, that of matrix products notes nothing and does so all the same; so does engine 17,
 *      which is in its place for gradients of weights
 *   1  noted NONDETERMINISTIC: its sums differ from run to run in the last bit
 *   2  neither, with a workspace
 *   3  neither; a knob rounds its sums up or down, always alike: the bits of another order
 *   4  neither; a plan for it is made but cannot run
 * All take the same simulated time, $SIMGPU_SLOW_ENGINE twice that. All but those of convolutions
 * are compiled as they are planned, and none of them is there with $SIMGPU_NO_COMPILER. As with the
 * real library, there is none for batch norm of channels that are no whole vectors of 16 bytes, nor
 * for an addition behind it without a ReLU, nor for its backward pass behind anything but the
 * product with a mask, in bf16; with $SIMGPU_NO_MASKS nor behind that. Layer norm has engines for
 * any channels, with nothing fused; with $SIMGPU_NO_LAYERNORM none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desc.h"

enum { WORKSPACE_BYTES = 4096 };

static const cudnnBackendKnobType_t knob_type = CUDNN_KNOB_TYPE_TILE_SIZE;

typedef struct Config {
    int engine, knob; /* knob -1: has none */
} Config;

static const Config configs[] = {{0, -1}, {1, -1}, {2, -1}, {3, 0}, {3, 1}, {4, -1}};
enum { CONFIGS = sizeof configs / sizeof *configs };

static Program *new_program(void) {
    Program *program = calloc(1, sizeof *program);
    if (program)
        program->runs = calloc(1, sizeof *program->runs);
    if (!program || !program->runs)
        sim_report("out of host memory");
    return program;
}

/* A plan from text: false where that is none, or $SIMGPU_REFUSE_PLANS. */
static bool finalize_text(Descriptor *d) {
    d->program = new_program();
    if (getenv("SIMGPU_REFUSE_PLANS") || !plan_read(d))
        return false;
    plan_count(true);
    return true;
}

static void finalize_plan(Descriptor *d) {
    const Descriptor *config =
        desc_link(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, "an engine configuration");
    if (!config->from)
        sim_report("an engine configuration that no heuristics gave");
    d->program = new_program();
    int *runs = d->program->runs;
    *d->program = *config->from->program;
    d->program->runs = runs;
    if (!real_used()) {
        const char *slow = getenv("SIMGPU_SLOW_ENGINE");
        d->program->tf32 = config->engine == 0;
        d->program->wavers = config->engine == 1;
        d->program->workspace = config->engine == 2 ? WORKSPACE_BYTES : 0;
        d->program->lean = config->engine != 3 ? 0 : config->knob == 0 ? 1 : -1;
        d->program->broken = config->engine == 4;
        d->program->cost = slow && atoi(slow) == config->engine ? 20 : 10;
    }
    plan_count(false);
}

/* What our own rules say; they report what is wrong. */
static void finalize_own(Descriptor *d) {
    SimTensor tensor;
    Operation op;
    switch (d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        rules_tensor(d, &tensor);
        break;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        d->program = new_program();
        rules_graph(d, d->program);
        break;
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        d->from = desc_link(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, "an operation graph");
        desc_need(d, CUDNN_ATTR_ENGINEHEUR_MODE, "a mode");
        break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        finalize_plan(d);
        break;
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
        desc_need(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, "unique ids");
        desc_need(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, "data pointers");
        break;
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
    case CUDNN_BACKEND_MATMUL_DESCRIPTOR:
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
    case CUDNN_BACKEND_RESAMPLE_DESCRIPTOR:
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR:
        break;
    default:
        rules_operation(d, &op);
    }
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
    Descriptor *d = desc_of(handle);
    if (d->finalized)
        sim_report("a descriptor of type %d is finalized twice", (int)d->type);
    if (desc_find(d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION) &&
        d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
        if (!finalize_text(d))
            return desc_status(CUDNN_STATUS_BAD_PARAM, "no plan");
    } else {
        finalize_own(d);
    }
    d->finalized = true;
    if (!real_used())
        return CUDNN_STATUS_SUCCESS;
    cudnnStatus_t status = real_finalize(d);
    bool may_fail = d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
                    d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
    if (status != CUDNN_STATUS_SUCCESS && !may_fail)
        sim_report("cuDNN refuses a descriptor of type %d: %s", (int)d->type, real_error());
    return desc_status(status, "finalize");
}

/* Convolutions alone come compiled. */
static bool comes_compiled(const Program *program) {
    switch (rules_main(program)->type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return true;
    default:
        return false;
    }
}

static bool has_engine(const Program *program) {
    enum { VECTOR_BYTES = 16 };
    const Operation *op = rules_main(program), *last = &program->op[program->ops - 1];
    if (getenv("SIMGPU_NO_COMPILER") && !comes_compiled(program))
        return false;
    bool forward = op->type == CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR;
    if (!forward && op->type != CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR)
        return true;
    if (op->by_row) /* layer norm of any channels, nothing fused with it */
        return program->ops == 1 && !getenv("SIMGPU_NO_LAYERNORM");
    const SimTensor *x = &op->tensor[P_X], *dy = &op->tensor[P_DY];
    int64_t element = (int64_t)x->bytes / x->count;
    if (op != program->op &&
        (getenv("SIMGPU_NO_MASKS") || program->op[0].pointwise != CUDNN_POINTWISE_MUL ||
         dy->type != CUDNN_DATA_BFLOAT16))
        return false;
    bool adds_last = last->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR &&
                     last->pointwise == CUDNN_POINTWISE_ADD;
    return x->dim[1] * element % VECTOR_BYTES == 0 && !adds_last;
}

static cudnnStatus_t get_results(Descriptor *d, int64_t room, int64_t *count, void *data) {
    cudnnBackendDescriptor_t *results = data;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    *count = has_engine(d->from->program) ? CONFIGS : 0;
    if (real_used())
        status = real_get(d, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, room,
                          count, data);
    for (int64_t i = 0; i < room && i < *count; i++) {
        Descriptor *config = desc_of(results[i]);
        config->from = d->from;
        config->engine = real_used() ? 0 : configs[i].engine;
        config->knob = real_used() ? -1 : configs[i].knob;
        config->finalized = true;
    }
    return status;
}

static cudnnStatus_t get_knobs(Descriptor *d, int64_t room, int64_t *count, void *data) {
    cudnnBackendDescriptor_t *knobs = data;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    *count = d->knob >= 0;
    if (real_used())
        status = real_get(d, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, room,
                          count, data);
    for (int64_t i = 0; i < room && i < *count; i++) {
        Descriptor *knob = desc_of(knobs[i]);
        knob->knob = d->knob;
        knob->finalized = true;
    }
    return status;
}

static cudnnStatus_t get_int(int64_t value, int64_t *count, void *data) {
    *count = 1;
    *(int64_t *)data = value;
    return CUDNN_STATUS_SUCCESS;
}

enum { NOTES = 2, COARSE = 17 };

static cudnnBackendDescriptorType_t main_type(const Descriptor *engine) {
    return engine->from ? rules_main(engine->from->program)->type : CUDNN_BACKEND_ENGINE_DESCRIPTOR;
}

static int64_t engine_index(const Descriptor *d) {
    return d->engine == 0 &&
                   main_type(d) == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR
               ? COARSE
               : d->engine;
}

static bool is_noted(const Descriptor *d) {
    bool hidden =
        main_type(d) == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR || engine_index(d) == COARSE;
    return d->engine < NOTES && (d->engine != 0 || !hidden);
}

static cudnnStatus_t get_engine_note(const Descriptor *d, int64_t room, int64_t *count,
                                     void *data) {
    static const cudnnBackendNumericalNote_t notes[NOTES] = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
                                                             CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
    *count = is_noted(d);
    if (*count && room > 0)
        memcpy(data, &notes[d->engine], sizeof *notes);
    return CUDNN_STATUS_SUCCESS;
}

/* A GPU's properties are those of the file that $SIMGPU_DEVICE_JSON names. */
static cudnnStatus_t get_properties(int64_t room, int64_t *count, char *data) {
    const char *path = getenv("SIMGPU_DEVICE_JSON");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        return desc_status(CUDNN_STATUS_NOT_SUPPORTED, "SIMGPU_DEVICE_JSON names no file");
    *count = (int64_t)fread(data, 1, (size_t)room, file);
    fclose(file);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t handle,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room,
                                       int64_t *count, void *data) {
    Descriptor *d = desc_of(handle);
    int64_t ignored;
    count = count ? count : &ignored;
    if (!d->finalized)
        sim_report("attribute %d is read of a descriptor (type %d) that is not finalized",
                   (int)name, (int)d->type);
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS)
        return get_results(d, room, count, data);
    if (name == CUDNN_ATTR_ENGINECFG_KNOB_CHOICES)
        return get_knobs(d, room, count, data);
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
        Descriptor *engine = desc_of(*(cudnnBackendDescriptor_t *)data);
        engine->engine = d->engine;
        engine->from = d->from;
        engine->compiled = d->from && !comes_compiled(d->from->program);
        engine->finalized = true;
    }
    if (name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)
        return plan_write(d, room, count, data);
    if (real_used()) {
        cudnnStatus_t status = real_get(d, name, type, room, count, data);
        if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && status == CUDNN_STATUS_SUCCESS)
            d->program->workspace = *(int64_t *)data;
        return desc_status(status, "get attribute");
    }
    switch ((int)name) {
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        *count = 1;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        return get_int(engine_index(d), count, data);
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        return get_engine_note(d, room, count, data);
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
        *count = d->compiled;
        if (d->compiled && room > 0)
            *(cudnnBackendBehaviorNote_t *)data = CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE:
        *count = 1;
        *(cudnnBackendKnobType_t *)data = knob_type;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE:
        return get_int(d->knob, count, data);
    case CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION:
        return get_properties(room, count, data);
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        return get_int(d->program->workspace, count, data);
    default:
        sim_report("reading attribute %d is not simulated", (int)name);
    }
}
