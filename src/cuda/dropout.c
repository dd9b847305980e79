/* cuda/dropout: y = x / (1 - rate) where the element is kept, 0 where not; a copy outside training.
 * Forward draws the mask once, a byte an element in logical order, into `saved`. */
#include "plan.h"

static double dropout_rate(const StepPlan *plan) {
    return plan->base.desc.layer->args.dropout.rate;
}

static Status copy(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_cast(call->at[1], plan_type(plan), call->at[0], plan_type(plan), plan_count(plan),
                      call_stream(call)));
    return ST_OK;
}

static Status apply(const StepCall *call, bool add) {
    const StepPlan *plan = call->plan;
    Shape s = plan->base.desc.out.shape;
    TRY_CUDA(gpu_dropout_apply(call->at[1], call->at[0], call->at[2], plan_type(plan), s.n,
                               s.h * s.w, s.c, dropout_rate(plan), add, call_stream(call)));
    return ST_OK;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    const uint8_t *given = lane_mask(call->run, desc->ordinal);
    if (given)
        TRY(cuda_upload(call->stream, call->at[2], given, (size_t)plan_count(plan)));
    else
        TRY_CUDA(gpu_dropout_mask(call->at[2], plan_count(plan), call->stream->run, desc->index,
                                  dropout_rate(plan), call_stream(call)));
    return apply(call, false);
}

static Status backward(const StepCall *call) {
    return apply(call, call->plan->base.desc.grad_in[0] == GRAD_ADD);
}

static Status dropout_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (!desc->training) {
        LAUNCH_STEP(plan, PASS_FORWARD, copy, AT_IN(0), AT_OUT);
        return ST_OK;
    }
    Operand mask = steps_saved(plan, (size_t)plan_count(plan));
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, mask);
    if (desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0), mask);
    return ST_OK;
}

CUDA_OP(dropout);
