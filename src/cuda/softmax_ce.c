/* cuda/softmax_ce: softmax cross-entropy with label smoothing: the loss of each image, the class of
 * its largest logit, and the logits' gradient. A label outside the classes gives a loss of NaN. */
#include "plan.h"

/* The weights of classes stay on the host: what is packed is their copy on the device. */
static Status pack_weights(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const float *weights = desc->layer->args.loss.weights;
    return cuda_upload(call->stream, call->at[0], weights,
                       (size_t)desc->in[0].shape.c * sizeof *weights);
}

static const float *weights_at(const StepPlan *plan, void *packed) {
    return plan->base.desc.layer->args.loss.weights ? packed : NULL;
}

static double smoothing(const StepPlan *plan) {
    return plan->base.desc.layer->args.loss.smoothing;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    Shape in = plan->base.desc.in[0].shape;
    TRY_CUDA(gpu_softmax_ce(at[2], at[3], at[0], plan_type(plan), at[1], at[4],
                            weights_at(plan, at[5]), in.n, in.c, smoothing(plan),
                            call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    const OpDesc *desc = &plan->base.desc;
    Shape in = desc->in[0].shape;
    TRY_CUDA(gpu_softmax_ce_backward(
        at[2], at[0], plan_type(plan), at[1], at[3], weights_at(plan, at[4]), in.n, in.c,
        smoothing(plan), call->stream->run, desc->grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status softmax_ce_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Operand weights = AT_NOTHING;
    plan->base.backward_reads_in = READS_IN(0);
    if (desc->layer->args.loss.weights) {
        weights = steps_packed(plan, (size_t)desc->in[0].shape.c * sizeof(float));
        LAUNCH_STEP(plan, PASS_PACK, pack_weights, weights);
    }
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_LABELS, AT_LOSS, AT_PREDICTED, AT_SECOND,
                weights);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_LABELS, AT_GRAD_IN(0), AT_SECOND,
                    weights);
    return ST_OK;
}

CUDA_OP(softmax_ce);
