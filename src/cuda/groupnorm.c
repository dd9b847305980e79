/* cuda/groupnorm: normalisation over groups of channels of each image. Mean and rstd of each group
 * are kept in `saved`. */
#include "plan.h"

static int64_t groups_of(const StepPlan *plan) {
    return plan->base.desc.layer->args.groupnorm.groups;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    Shape s = plan->base.desc.out.shape;
    TRY_CUDA(gpu_groupnorm(at[1], at[4], at[5], at[0], at[2], at[3], plan_type(plan), s.n,
                           s.h * s.w, s.c, groups_of(plan),
                           plan->base.desc.layer->args.groupnorm.eps, call_stream(call)));
    return ST_OK;
}

/* Where the input's gradient is not wanted its address is NULL, which is what the kernel asks. */
static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    void *const *at = call->at;
    Shape s = desc->out.shape;
    TRY_CUDA(gpu_groupnorm_backward(at[7], at[5], at[6], at[1], at[0], at[2], at[3], at[4],
                                    plan_type(plan), s.n, s.h * s.w, s.c, groups_of(plan),
                                    desc->grad_in[0] == GRAD_ADD, at[8], call_stream(call)));
    return ST_OK;
}

static Status groupnorm_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->out.shape;
    size_t statistics = (size_t)(s.n * groups_of(plan)) * sizeof(float);
    Operand mean = steps_saved(plan, statistics), rstd = steps_saved(plan, statistics);
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, AT_PARAM(WEIGHT), AT_PARAM(BIAS),
                mean, rstd);
    if (!desc->training)
        return ST_OK;
    plan->base.backward_reads_in = READS_IN(0);
    steps_need_workspace(plan, gpu_groupnorm_scratch(s.n, s.c, groups_of(plan)));
    LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_GRAD_OUT, AT_PARAM(WEIGHT), mean, rstd,
                AT_GRAD_PARAM(WEIGHT), AT_GRAD_PARAM(BIAS), AT_GRAD_IN(0), AT_WORKSPACE);
    return ST_OK;
}

CUDA_OP(groupnorm);
