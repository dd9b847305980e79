/* cuda/linear: y = weight x + bias, over the input flattened in C, H, W order. The input's memory
 * is flattened in H, W, C order, and packing brings the weight into that order. Each of the three
 * products is cuDNN's matrix product, or, where that has no engine (full fp32 needs no tensor
 * cores), the convolution of a 1 x 1 map, which is the same. Temp as in conv.c. */
#include "plan.h"

static GraphConv as_conv(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape in = desc->in[0].shape;
    return (GraphConv){.dtype = plan_type(plan),
                       .x = {in.n, in.c * in.h * in.w, 1, 1},
                       .y = desc->out.shape,
                       .kernel = 1,
                       .stride = 1,
                       .groups = 1,
                       .bias = desc->layer->args.linear.bias,
                       .relu = desc->relu};
}

static Status finish_forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    bool relu = plan->base.desc.relu;
    if (plan->base.desc.layer->args.linear.bias)
        TRY_CUDA(gpu_bias(at[0], at[1], plan_type(plan), plan_rows(plan), plan_channels(plan), relu,
                          call_stream(call)));
    else if (relu)
        TRY_CUDA(gpu_relu(at[0], at[0], plan_type(plan), plan_count(plan), call_stream(call)));
    return ST_OK;
}

/* The forward graph with (`fused`) or without bias and ReLU. */
static Status forward_graph(StepPlan *plan, GraphConv conv, bool fused, Graph **graph) {
    GraphTarget *target = plan_target(plan);
    conv.bias = conv.bias && fused;
    conv.relu = conv.relu && fused;
    GraphProduct product = {.dtype = conv.dtype,
                            .out = conv.dtype,
                            .m = conv.x.n,
                            .n = conv.y.c,
                            .k = conv.x.c,
                            .w_transposed = true,
                            .bias = conv.bias,
                            .relu = conv.relu};
    if (plan_has_engine(graph_product(target, &product, graph)))
        return ST_OK;
    return graph_conv_forward(target, &conv, graph);
}

static Status linear_forward(StepPlan *plan, GraphConv conv) {
    Graph *graph = NULL;
    if (plan_has_engine(forward_graph(plan, conv, true, &graph))) {
        GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, plan_weight(plan, WEIGHT, ROLE_W),
                   {AT_OUT, ROLE_Y}, {conv.bias ? AT_PARAM(BIAS) : AT_NOTHING, ROLE_BIAS});
        return ST_OK;
    }
    TRY(forward_graph(plan, conv, false, &graph));
    GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, plan_weight(plan, WEIGHT, ROLE_W),
               {AT_OUT, ROLE_Y});
    plan->base.own_kernels = true;
    LAUNCH_STEP(plan, PASS_FORWARD, finish_forward, AT_OUT,
                conv.bias ? AT_PARAM(BIAS) : AT_NOTHING);
    return ST_OK;
}

/* DW[o][k] = DY^T X. */
static Status weight_gradient(StepPlan *plan, const GraphConv *conv) {
    GraphTarget *target = plan_target(plan);
    Graph *graph = NULL;
    GraphProduct product = {.dtype = conv->dtype,
                            .out = conv->dtype,
                            .m = conv->y.c,
                            .n = conv->x.c,
                            .k = conv->x.n,
                            .x_transposed = true};
    if (plan_has_engine(graph_product(target, &product, &graph))) {
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_GRAD_OUT, ROLE_X}, {AT_IN(0), ROLE_W},
                   plan_grad_weight(plan, WEIGHT, ROLE_Y));
    } else {
        TRY(graph_conv_weights(target, conv, &graph));
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_GRAD_OUT, ROLE_DY}, {AT_IN(0), ROLE_X},
                   plan_grad_weight(plan, WEIGHT, ROLE_DW));
    }
    plan_finish_grad_weight(plan, WEIGHT);
    return ST_OK;
}

/* DX[n][k] = DY W. */
static Status data_gradient(StepPlan *plan, const GraphConv *conv) {
    GraphTarget *target = plan_target(plan);
    Graph *graph = NULL;
    GraphProduct product = {
        .dtype = conv->dtype, .out = conv->dtype, .m = conv->x.n, .n = conv->x.c, .k = conv->y.c};
    if (plan_has_engine(graph_product(target, &product, &graph))) {
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_GRAD_OUT, ROLE_X},
                   plan_weight(plan, WEIGHT, ROLE_W), plan_grad_in(plan, 0, ROLE_Y));
    } else {
        TRY(graph_conv_data(target, conv, &graph));
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_GRAD_OUT, ROLE_DY},
                   plan_weight(plan, WEIGHT, ROLE_W), plan_grad_in(plan, 0, ROLE_DX));
    }
    plan_finish_grad_in(plan, 0);
    return ST_OK;
}

static Status linear_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    GraphConv conv = as_conv(plan);
    plan->base.backward_reads_in = READS_IN(0);
    TRY(linear_forward(plan, conv));
    if (!desc->training)
        return ST_OK;
    plan_grad_relu(plan);
    if (conv.bias)
        plan_grad_bias(plan, BIAS);
    TRY(weight_gradient(plan, &conv));
    return desc->grad_in[0] == GRAD_NONE ? ST_OK : data_gradient(plan, &conv);
}

CUDA_OP(linear);
