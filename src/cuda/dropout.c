/* cuda/dropout: y = x / (1 - rate) where the element is kept, 0 where not; a copy outside training.
 * Forward draws the mask once, a byte an element in logical order, into `saved`. */
#include "plan.h"

static double dropout_rate(const CudaPlan *plan) {
    return plan->base.desc.layer->args.dropout.rate;
}

static Status copy(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(
        gpu_cast(at[1], plan_type(plan), at[0], plan_type(plan), plan_count(plan), stream->stream));
    return ST_OK;
}

static Status apply(const CudaPlan *plan, Stream *stream, void *y, const void *x, const void *keep,
                    bool add) {
    Shape s = plan->base.desc.out.shape;
    TRY_CUDA(gpu_dropout_apply(y, x, keep, plan_type(plan), s.n, s.h * s.w, s.c, dropout_rate(plan),
                               add, stream->stream));
    return ST_OK;
}

static Status forward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    const OpDesc *desc = &plan->base.desc;
    const uint8_t *given = lane_mask(run, desc->ordinal);
    if (given)
        TRY(cuda_upload(stream, at[2], given, (size_t)plan_count(plan)));
    else
        TRY_CUDA(gpu_dropout_mask(at[2], plan_count(plan), stream->run, desc->index,
                                  dropout_rate(plan), stream->stream));
    return apply(plan, stream, at[1], at[0], at[2], false);
}

static Status backward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    return apply(plan, stream, at[1], at[0], at[2], plan->base.desc.grad_in[0] == GRAD_ADD);
}

static Status dropout_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (!desc->training) {
        LAUNCH_STEP(plan, PHASE_FORWARD, copy, {AT_IN, 0, 0}, {AT_OUT, 0, 0});
        return ST_OK;
    }
    size_t mask = plan_saved(plan, (size_t)plan_count(plan));
    LAUNCH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, 0, 0}, {AT_OUT, 0, 0}, {AT_SAVED, 0, mask});
    if (desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PHASE_BACKWARD, backward, {AT_GRAD_OUT, 0, 0}, {AT_GRAD_IN, 0, 0},
                    {AT_SAVED, 0, mask});
    return ST_OK;
}

CUDA_OP(dropout);
