/* cuda/conv: convolution. The bias and a fused ReLU are part of the forward graph where cuDNN has
 * an engine for all three, else a kernel behind it; backward masks grad_out by the ReLU first. The
 * weight's gradient comes before the input's, since its temp is free again when that one needs it.
 */
#include "plan.h"

static Status finish_forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bias(at[0], at[1], plan_type(plan), plan_rows(plan), plan_channels(plan),
                      plan->base.desc.relu, call_stream(call)));
    return ST_OK;
}

static Status relu_forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_relu(at[0], at[0], plan_type(plan), plan_count(plan), call_stream(call)));
    return ST_OK;
}

static Status conv_forward(StepPlan *plan, GraphConv conv) {
    GraphTarget *target = plan_target(plan);
    Graph *graph = NULL;
    bool fused = conv.bias || conv.relu;
    if (fused && plan_has_engine(graph_conv_forward(target, &conv, &graph))) {
        GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, plan_weight(plan, WEIGHT, ROLE_W),
                   {AT_OUT, ROLE_Y}, {conv.bias ? AT_PARAM(BIAS) : AT_NOTHING, ROLE_BIAS});
        return ST_OK;
    }
    GraphConv plain = conv;
    plain.bias = plain.relu = false;
    TRY(graph_conv_forward(target, &plain, &graph));
    GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, plan_weight(plan, WEIGHT, ROLE_W),
               {AT_OUT, ROLE_Y});
    plan->base.own_kernels = fused;
    if (conv.bias)
        LAUNCH_STEP(plan, PASS_FORWARD, finish_forward, AT_OUT, AT_PARAM(BIAS));
    else if (conv.relu)
        LAUNCH_STEP(plan, PASS_FORWARD, relu_forward, AT_OUT);
    return ST_OK;
}

static Status conv_backward(StepPlan *plan, const GraphConv *conv) {
    GraphTarget *target = plan_target(plan);
    Graph *weights = NULL, *data = NULL;
    plan_grad_relu(plan);
    if (conv->bias)
        plan_grad_bias(plan, BIAS);
    TRY(graph_conv_weights(target, conv, &weights));
    GRAPH_STEP(plan, PASS_BACKWARD, weights, {AT_IN(0), ROLE_X}, {AT_GRAD_OUT, ROLE_DY},
               plan_grad_weight(plan, WEIGHT, ROLE_DW));
    plan_finish_grad_weight(plan, WEIGHT);
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    TRY(graph_conv_data(target, conv, &data));
    GRAPH_STEP(plan, PASS_BACKWARD, data, {AT_GRAD_OUT, ROLE_DY}, plan_weight(plan, WEIGHT, ROLE_W),
               plan_grad_in(plan, 0, ROLE_DX));
    plan_finish_grad_in(plan, 0);
    return ST_OK;
}

static Status conv_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    GraphConv conv = {.dtype = plan_type(plan),
                      .x = desc->in[0].shape,
                      .y = desc->out.shape,
                      .kernel = args->kernel,
                      .stride = args->stride,
                      .pad = args->pad,
                      .groups = args->groups,
                      .bias = args->bias,
                      .relu = desc->relu};
    plan->base.backward_reads_in = READS_IN(0);
    TRY(conv_forward(plan, conv));
    return desc->training ? conv_backward(plan, &conv) : ST_OK;
}

CUDA_OP(conv);
