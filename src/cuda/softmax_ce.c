/* cuda/softmax_ce: softmax cross-entropy with label smoothing: the loss of each image, the class of
 * its largest logit, and the logits' gradient. A label outside the classes gives a loss of NaN. */
#include "plan.h"

static double smoothing(const CudaPlan *plan) {
    return plan->base.desc.layer->args.loss.smoothing;
}

static Status forward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    Shape in = plan->base.desc.in[0].shape;
    TRY_CUDA(gpu_softmax_ce(at[2], at[3], at[0], plan_type(plan), at[1], in.n, in.c,
                            smoothing(plan), stream->stream));
    return ST_OK;
}

static Status backward(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    const OpDesc *desc = &plan->base.desc;
    Shape in = desc->in[0].shape;
    TRY_CUDA(gpu_softmax_ce_backward(at[2], at[0], plan_type(plan), at[1], in.n, in.c,
                                     smoothing(plan), stream->run, desc->grad_in[0] == GRAD_ADD,
                                     stream->stream));
    return ST_OK;
}

static Status softmax_ce_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    plan->base.backward_reads_in = true;
    LAUNCH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, 0, 0}, {AT_LABELS, 0, 0}, {AT_LOSS, 0, 0},
                {AT_PREDICTED, 0, 0});
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PHASE_BACKWARD, backward, {AT_IN, 0, 0}, {AT_LABELS, 0, 0},
                    {AT_GRAD_IN, 0, 0});
    return ST_OK;
}

CUDA_OP(softmax_ce);
