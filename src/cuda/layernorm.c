/* cuda/layernorm: in training either direction is cuDNN's where it has an engine, else our
 * kernels'; both keep each position's mean and 1 / sqrt(var + eps) in `saved` for backward.
 * Evaluation is a kernel. */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    bool training = plan->base.desc.training;
    TRY_CUDA(gpu_layernorm(at[3], training ? at[4] : NULL, training ? at[5] : NULL, at[0], at[1],
                           at[2], plan_type(plan), plan_rows(plan), plan_channels(plan),
                           plan->base.desc.layer->args.layernorm.eps, call_stream(call)));
    return ST_OK;
}

/* Where the input's gradient is not wanted its address is NULL, which is what the kernel asks. */
static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_layernorm_backward(
        at[5], at[6], at[7], at[2], at[0], at[1], at[3], at[4], plan_type(plan), plan_rows(plan),
        plan_channels(plan), plan->base.desc.grad_in[0] == GRAD_ADD, at[8], call_stream(call)));
    return ST_OK;
}

/* What a position keeps from forward to backward. */
typedef struct Kept {
    Operand mean, rstd;
} Kept;

static void forward_steps(StepPlan *plan, const GraphLayerNorm *norm, const Kept *kept) {
    Graph *graph;
    if (plan_has_engine(graph_layernorm_forward(plan_target(plan), norm, &graph))) {
        GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, {AT_PARAM(WEIGHT), ROLE_SCALE},
                   {AT_PARAM(BIAS), ROLE_BIAS}, {AT_OUT, ROLE_Y}, {kept->mean, ROLE_MEAN},
                   {kept->rstd, ROLE_RSTD});
        return;
    }
    plan->base.own_kernels = true;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS), AT_OUT,
                kept->mean, kept->rstd);
}

static void backward_steps(StepPlan *plan, const GraphLayerNorm *norm, const Kept *kept) {
    Graph *graph;
    if (plan_has_engine(graph_layernorm_backward(plan_target(plan), norm, &graph))) {
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_IN(0), ROLE_X}, {AT_GRAD_OUT, ROLE_DY},
                   {AT_PARAM(WEIGHT), ROLE_SCALE}, {kept->mean, ROLE_MEAN}, {kept->rstd, ROLE_RSTD},
                   {AT_GRAD_PARAM(WEIGHT), ROLE_DSCALE}, {AT_GRAD_PARAM(BIAS), ROLE_DBIAS},
                   plan_grad_in(plan, 0, ROLE_DX));
        plan_finish_grad_in(plan, 0);
        return;
    }
    plan->base.own_kernels = true;
    steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_PARAM(WEIGHT), AT_GRAD_OUT, kept->mean,
                kept->rstd, AT_GRAD_IN(0), AT_GRAD_PARAM(WEIGHT), AT_GRAD_PARAM(BIAS),
                AT_WORKSPACE);
}

static Status layernorm_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    size_t rows = (size_t)plan_rows(plan) * sizeof(float);
    GraphLayerNorm norm = {.dtype = plan_type(plan),
                           .shape = {plan_rows(plan), plan_channels(plan), 1, 1},
                           .eps = desc->layer->args.layernorm.eps};
    if (!desc->training) {
        LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS),
                    AT_OUT);
        return ST_OK;
    }
    Kept kept;
    kept.mean = steps_saved(plan, rows);
    kept.rstd = steps_saved(plan, rows);
    plan->base.backward_reads_in = READS_IN(0);
    forward_steps(plan, &norm, &kept);
    backward_steps(plan, &norm, &kept);
    return ST_OK;
}

CUDA_OP(layernorm);
