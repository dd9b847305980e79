/* cuda/layernorm: training keeps each position's mean and 1 / sqrt(var + eps) in `saved`. */
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

static Status layernorm_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    size_t rows = (size_t)plan_rows(plan) * sizeof(float);
    if (!desc->training) {
        LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS),
                    AT_OUT);
        return ST_OK;
    }
    Operand mean = steps_saved(plan, rows), rstd = steps_saved(plan, rows);
    plan->base.backward_reads_in = READS_IN(0);
    steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS), AT_OUT,
                mean, rstd);
    LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_PARAM(WEIGHT), AT_GRAD_OUT, mean, rstd,
                AT_GRAD_IN(0), AT_GRAD_PARAM(WEIGHT), AT_GRAD_PARAM(BIAS), AT_WORKSPACE);
    return ST_OK;
}

CUDA_OP(layernorm);
