/* cuda/scale: y = factor x. */
#include "plan.h"

static Status forward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_scale(at[1], at[0], plan->base.desc.layer->args.scale.factor, plan_type(plan),
                       plan_count(plan), false, stream->stream));
    return ST_OK;
}

static Status backward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    const OpDesc *desc = &plan->base.desc;
    TRY_CUDA(gpu_scale(at[1], at[0], desc->layer->args.scale.factor, plan_type(plan),
                       plan_count(plan), desc->grad_in[0] == GRAD_ADD, stream->stream));
    return ST_OK;
}

static Status scale_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LAUNCH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, 0, 0}, {AT_OUT, 0, 0});
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PHASE_BACKWARD, backward, {AT_GRAD_OUT, 0, 0}, {AT_GRAD_IN, 0, 0});
    return ST_OK;
}

CUDA_OP(scale);
