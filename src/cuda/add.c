/* cuda/add: the sum of two inputs of one shape, a ReLU fused behind it. Both get the gradient of
 * the output. */
#include "plan.h"

static Status forward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_add(at[2], at[0], at[1], plan_type(plan), plan_count(plan), plan->base.desc.relu,
                     stream->stream));
    return ST_OK;
}

static Status give(const CudaPlan *plan, Stream *stream, void *const *at, bool add) {
    TRY_CUDA(gpu_scale(at[1], at[0], 1, plan_type(plan), plan_count(plan), add, stream->stream));
    return ST_OK;
}

static Status give_copy(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    return give(plan, stream, at, false);
}

static Status give_sum(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    return give(plan, stream, at, true);
}

static Status add_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, 0, 0}, {AT_IN2, 0, 0}, {AT_OUT, 0, 0});
    plan_grad_relu(plan);
    for (int input = 0; desc->training && input < 2; input++) {
        if (desc->grad_in[input] != GRAD_NONE)
            LAUNCH_STEP(plan, PHASE_BACKWARD,
                        desc->grad_in[input] == GRAD_ADD ? give_sum : give_copy,
                        {AT_GRAD_OUT, 0, 0}, {input == 0 ? AT_GRAD_IN : AT_GRAD_IN2, 0, 0});
    }
    return ST_OK;
}

CUDA_OP(add);
