/* cuda/activation: see activation.h. */
#include "activation.h"

static Activation function_of(const Layer *layer) {
    return layer->kind == LAYER_SILU      ? ACTIVATION_SILU
           : layer->kind == LAYER_SIGMOID ? ACTIVATION_SIGMOID
           : layer->kind == LAYER_TANH    ? ACTIVATION_TANH
           : layer->kind == LAYER_RELU6   ? ACTIVATION_RELU6
                                          : ACTIVATION_LEAKY_RELU;
}

/* Of leaky_relu; 0 of the others. */
static double slope_of(const Layer *layer) {
    return layer->kind == LAYER_LEAKY_RELU ? layer->args.leaky_relu.slope : 0;
}

static Status forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const Layer *layer = plan->base.desc.layer;
    TRY_CUDA(gpu_activation(call->at[1], call->at[0], function_of(layer), slope_of(layer),
                            plan_type(plan), plan_count(plan), call_stream(call)));
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    void *const *at = call->at;
    TRY_CUDA(gpu_activation_backward(at[2], at[0], at[1], function_of(desc->layer),
                                     slope_of(desc->layer), plan_type(plan), plan_count(plan),
                                     desc->grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

Status activation_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    bool reads_in = function_of(desc->layer) == ACTIVATION_SILU;
    LAUNCH_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;
    plan->base.backward_reads_in = reads_in ? READS_IN(0) : 0;
    plan->base.backward_reads_out = !reads_in;
    LAUNCH_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, reads_in ? AT_IN(0) : AT_OUT,
                AT_GRAD_IN(0));
    return ST_OK;
}
