/* cuda/plan: see plan.h. */
#include "plan.h"

GraphTarget *plan_target(const StepPlan *plan) {
    return &((CudaDevice *)plan->device)->target;
}

cudaStream_t call_stream(const StepCall *call) {
    return call->stream->stream;
}

bool plan_has_engine(Status status) {
    if (status != ST_OK)
        status_clear();
    return status == ST_OK;
}

int64_t plan_count(const StepPlan *plan) {
    return shape_count(plan->base.desc.out.shape);
}

int64_t plan_rows(const StepPlan *plan) {
    Shape s = plan->base.desc.out.shape;
    return s.n * s.h * s.w;
}

int64_t plan_channels(const StepPlan *plan) {
    return plan->base.desc.out.shape.c;
}

DType plan_type(const StepPlan *plan) {
    return ((const CudaDevice *)plan->device)->activation;
}

/* ---- Weights ---- */

/* Extents of a weight in fp32 [o][i][hw]. That of a linear layer is a matrix over the whole map of
 * its input: hw is that map. */
typedef struct Extents {
    int64_t o, i, hw;
} Extents;

static Extents weight_extents(const StepPlan *plan, int param) {
    const ParamSpec *spec = &plan->base.desc.layer->param[param];
    int64_t channels = plan->base.desc.in[0].shape.c;
    if (spec->ndim == 2)
        return (Extents){spec->dim[0], channels, spec->dim[1] / channels};
    return (Extents){spec->dim[0], spec->dim[1], spec->dim[2] * spec->dim[3]};
}

/* Whether the op's form of the weight is the master weight's. */
static bool weight_is_plain(const StepPlan *plan, int param) {
    Extents e = weight_extents(plan, param);
    return plan_type(plan) == DT_F32 && (e.hw == 1 || e.i == 1);
}

static size_t weight_bytes(const StepPlan *plan, int param) {
    Extents e = weight_extents(plan, param);
    return (size_t)(e.o * e.i * e.hw) * dtype_size(plan_type(plan));
}

/* From the parameter to its packed form. */
static Status pack_weight(const StepCall *call) {
    Extents e = weight_extents(call->plan, call->step->arg[0].operand.index);
    TRY_CUDA(gpu_to_nhwc(call->at[1], plan_type(call->plan), e.i, call->at[0], DT_F32, e.o, e.i,
                         e.hw, call_stream(call)));
    return ST_OK;
}

/* From temp to the parameter's gradient. */
static Status unpack_grad_weight(const StepCall *call) {
    Extents e = weight_extents(call->plan, call->step->arg[1].operand.index);
    TRY_CUDA(gpu_to_nchw(call->at[1], DT_F32, call->at[0], plan_type(call->plan), e.i, e.o, e.i,
                         e.hw, call_stream(call)));
    return ST_OK;
}

Arg plan_weight(StepPlan *plan, int param, GraphRole role) {
    if (weight_is_plain(plan, param))
        return (Arg){AT_PARAM(param), role};
    for (int i = 0; i < plan->n_steps[PASS_PACK]; i++) {
        const Step *pack = &plan->step[PASS_PACK][i];
        if (operand_same(pack->arg[0].operand, AT_PARAM(param)))
            return (Arg){pack->arg[1].operand, role};
    }
    Operand packed = steps_packed(plan, weight_bytes(plan, param));
    LAUNCH_STEP(plan, PASS_PACK, pack_weight, AT_PARAM(param), packed);
    return (Arg){packed, role};
}

Arg plan_grad_weight(StepPlan *plan, int param, GraphRole role) {
    if (weight_is_plain(plan, param) || plan->base.desc.keeps_form)
        return (Arg){AT_GRAD_PARAM(param), role};
    steps_need_temp(plan, weight_bytes(plan, param));
    return (Arg){AT_TEMP, role};
}

void plan_finish_grad_weight(StepPlan *plan, int param) {
    Extents e = weight_extents(plan, param);
    if (weight_is_plain(plan, param))
        return;
    if (plan->base.desc.keeps_form)
        plan->base.grad_form[param] = (TermForm){e.i, e.hw, plan_type(plan)};
    else
        LAUNCH_STEP(plan, PASS_BACKWARD, unpack_grad_weight, AT_TEMP, AT_GRAD_PARAM(param));
}

/* ---- Gradients ---- */

static Status add_temp(const StepCall *call) {
    const Tensor *in = &call->plan->base.desc.in[call->step->arg[1].operand.index];
    TRY_CUDA(gpu_scale(call->at[1], call->at[0], 1, plan_type(call->plan), shape_count(in->shape),
                       true, call_stream(call)));
    return ST_OK;
}

Arg plan_grad_in(StepPlan *plan, int input, GraphRole role) {
    if (plan->base.desc.grad_in[input] == GRAD_ASSIGN)
        return (Arg){AT_GRAD_IN(input), role};
    steps_need_temp(plan, plan->base.desc.in[input].bytes);
    return (Arg){AT_TEMP, role};
}

void plan_finish_grad_in(StepPlan *plan, int input) {
    if (plan->base.desc.grad_in[input] == GRAD_ADD)
        LAUNCH_STEP(plan, PASS_BACKWARD, add_temp, AT_TEMP, AT_GRAD_IN(input));
}

static Status mask_gradient(const StepCall *call) {
    TRY_CUDA(gpu_relu_backward(call->at[0], call->at[0], call->at[1], plan_type(call->plan),
                               plan_count(call->plan), false, call_stream(call)));
    return ST_OK;
}

void plan_grad_relu(StepPlan *plan) {
    if (!plan->base.desc.relu)
        return;
    plan->base.backward_reads_out = true;
    if (plan->base.desc.training)
        LAUNCH_STEP(plan, PASS_BACKWARD, mask_gradient, AT_GRAD_OUT, AT_OUT);
}

static Status sum_gradient(const StepCall *call) {
    TRY_CUDA(gpu_sum_rows(call->at[0], call->at[1], NULL, plan_type(call->plan),
                          plan_rows(call->plan), plan_channels(call->plan), call->at[2],
                          call_stream(call)));
    return ST_OK;
}

void plan_grad_bias(StepPlan *plan, int param) {
    steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PASS_BACKWARD, sum_gradient, AT_GRAD_PARAM(param), AT_GRAD_OUT, AT_WORKSPACE);
}
