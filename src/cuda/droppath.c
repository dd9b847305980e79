/* cuda/droppath: y = x / (1 - rate) of images that are kept, 0 of others; a copy outside training.
 * Forward draws which, a byte an image, into `saved`. */
#include "plan.h"

static Status copy(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_cast(call->at[1], plan_type(plan), call->at[0], plan_type(plan), plan_count(plan),
                      call_stream(call)));
    return ST_OK;
}

static Status apply(const StepCall *call, bool add) {
    const StepPlan *plan = call->plan;
    Shape s = plan->base.desc.out.shape;
    TRY_CUDA(gpu_droppath_apply(call->at[1], call->at[0], call->at[2], plan_type(plan), s.n,
                                s.c * s.h * s.w, plan->base.desc.layer->args.dropout.rate, add,
                                call_stream(call)));
    return ST_OK;
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    TRY_CUDA(gpu_droppath_mask(call->at[2], desc->out.shape.n, call->stream->run, desc->index,
                               desc->layer->args.dropout.rate, call_stream(call)));
    return apply(call, false);
}

static Status backward(const StepCall *call) {
    return apply(call, call->plan->base.desc.grad_in[0] == GRAD_ADD);
}

static Status droppath_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (!desc->training) {
        LAUNCH_STEP(plan, PASS_FORWARD, copy, AT_IN(0), AT_OUT);
        return ST_OK;
    }
    Operand mask = steps_saved(plan, (size_t)desc->out.shape.n);
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, mask);
    if (desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0), mask);
    return ST_OK;
}

CUDA_OP(droppath);
