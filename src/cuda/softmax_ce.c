/* cuda/softmax_ce: softmax cross-entropy with label smoothing: the loss of each image, the class of
 * its largest logit, and the logits' gradient. A label outside the classes gives a loss of NaN. */
#include "plan.h"

static double smoothing(const StepPlan *plan) {
    return plan->base.desc.layer->args.loss.smoothing;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    Shape in = plan->base.desc.in[0].shape;
    TRY_CUDA(gpu_softmax_ce(at[2], at[3], at[0], plan_type(plan), at[1], at[4], in.n, in.c,
                            smoothing(plan), call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    const OpDesc *desc = &plan->base.desc;
    Shape in = desc->in[0].shape;
    TRY_CUDA(gpu_softmax_ce_backward(at[2], at[0], plan_type(plan), at[1], at[3], in.n, in.c,
                                     smoothing(plan), call->stream->run,
                                     desc->grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status softmax_ce_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    plan->base.backward_reads_in = READS_IN(0);
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_LABELS, AT_LOSS, AT_PREDICTED, AT_SECOND);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_LABELS, AT_GRAD_IN(0), AT_SECOND);
    return ST_OK;
}

CUDA_OP(softmax_ce);
