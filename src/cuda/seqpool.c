/* cuda/seqpool: the tokens' mean by the softmax of their scores; forward keeps the shares in
 * `saved`.
 */
#include "plan.h"

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    Shape s = plan->base.desc.in[0].shape;
    TRY_CUDA(gpu_seqpool(at[3], at[4], at[0], at[1], at[2], plan_type(plan), s.n, s.h * s.w, s.c,
                         call_stream(call)));
    return ST_OK;
}

/* Where the input's gradient is not wanted its address is NULL, which is what the kernel asks. */
static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    void *const *at = call->at;
    Shape s = desc->in[0].shape;
    TRY_CUDA(gpu_seqpool_backward(at[4], at[5], at[6], at[7], at[2], at[0], at[3], at[1],
                                  plan_type(plan), s.n, s.h * s.w, s.c,
                                  desc->grad_in[0] == GRAD_ADD, at[8], call_stream(call)));
    return ST_OK;
}

static Status seqpool_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    int64_t tokens = s.n * s.h * s.w;
    Operand share = steps_saved(plan, (size_t)tokens * sizeof(double));
    plan->base.backward_reads_in = READS_IN(0);
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS), AT_OUT,
                share);
    if (!desc->training)
        return ST_OK;
    steps_need_temp(plan, (size_t)tokens * sizeof(double));
    steps_need_workspace(plan, gpu_rows_scratch(tokens, s.c));
    LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_PARAM(WEIGHT), AT_GRAD_OUT, share,
                AT_GRAD_IN(0), AT_GRAD_PARAM(WEIGHT), AT_GRAD_PARAM(BIAS), AT_TEMP, AT_WORKSPACE);
    return ST_OK;
}

CUDA_OP(seqpool);
