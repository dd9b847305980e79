/* cuda/conv: convolution. The bias and a fused ReLU are part of the forward graph where cuDNN has
 * an engine for all three, else a kernel behind it; backward masks grad_out by the ReLU first. The
 * weight's gradient comes before the input's, since its temp is free again when that one needs it.
 */
#include "plan.h"

static Status finish_forward(const CudaPlan *plan, Stream *stream, void *const *at,
                             const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bias(at[0], at[1], plan_type(plan), plan_rows(plan), plan_channels(plan),
                      plan->base.desc.relu, stream->stream));
    return ST_OK;
}

static Status relu_forward(const CudaPlan *plan, Stream *stream, void *const *at,
                           const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_relu(at[0], at[0], plan_type(plan), plan_count(plan), stream->stream));
    return ST_OK;
}

static Status conv_forward(CudaPlan *plan, GraphConv conv) {
    GraphTarget *target = &plan->device->target;
    Graph *graph = NULL;
    bool fused = conv.bias || conv.relu;
    if (fused && plan_has_engine(graph_conv_forward(target, &conv, &graph))) {
        GRAPH_STEP(plan, PHASE_FORWARD, graph, {AT_IN, ROLE_X, 0}, plan_weight(plan, ROLE_W),
                   {AT_OUT, ROLE_Y, 0}, {conv.bias ? AT_BIAS : AT_NOTHING, ROLE_BIAS, 0});
        return ST_OK;
    }
    GraphConv plain = conv;
    plain.bias = plain.relu = false;
    TRY(graph_conv_forward(target, &plain, &graph));
    GRAPH_STEP(plan, PHASE_FORWARD, graph, {AT_IN, ROLE_X, 0}, plan_weight(plan, ROLE_W),
               {AT_OUT, ROLE_Y, 0});
    plan->base.own_kernels = fused;
    if (conv.bias)
        LAUNCH_STEP(plan, PHASE_FORWARD, finish_forward, {AT_OUT, 0, 0}, {AT_BIAS, 0, 0});
    else if (conv.relu)
        LAUNCH_STEP(plan, PHASE_FORWARD, relu_forward, {AT_OUT, 0, 0});
    return ST_OK;
}

static Status conv_backward(CudaPlan *plan, const GraphConv *conv) {
    GraphTarget *target = &plan->device->target;
    Graph *weights = NULL, *data = NULL;
    plan_grad_relu(plan);
    if (conv->bias)
        plan_grad_bias(plan);
    TRY(graph_conv_weights(target, conv, &weights));
    GRAPH_STEP(plan, PHASE_BACKWARD, weights, {AT_IN, ROLE_X, 0}, {AT_GRAD_OUT, ROLE_DY, 0},
               plan_grad_weight(plan, ROLE_DW));
    plan_finish_grad_weight(plan);
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    TRY(graph_conv_data(target, conv, &data));
    GRAPH_STEP(plan, PHASE_BACKWARD, data, {AT_GRAD_OUT, ROLE_DY, 0}, plan_weight(plan, ROLE_W),
               plan_grad_in(plan, ROLE_DX));
    plan_finish_grad_in(plan);
    return ST_OK;
}

static Status conv_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    GraphConv conv = {.dtype = plan_type(plan),
                      .x = desc->in[0].shape,
                      .y = desc->out.shape,
                      .kernel = args->kernel,
                      .stride = args->stride,
                      .pad = args->pad,
                      .bias = args->bias,
                      .relu = desc->relu};
    plan->base.backward_reads_in = true;
    TRY(conv_forward(plan, conv));
    return desc->training ? conv_backward(plan, &conv) : ST_OK;
}

CUDA_OP(conv);
