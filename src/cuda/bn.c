/* cuda/bn: batch norm, with a fused addition and ReLU. In training either direction is cuDNN's
 * where it has an engine (whole vectors of channels; an addition with a ReLU behind it), else our
 * kernels'; both keep the batch's mean and 1 / sqrt(var + eps) in `saved` for backward and report
 * mean and unbiased variance. Evaluation is a kernel. A fixed scale or offset is a constant that
 * packing makes, and its gradient goes nowhere, for graphs and kernels want all of them. Without an
 * addition the other summand's address is NULL, which is what kernels and graphs ask. */
#include "plan.h"

static double bn_eps(const StepPlan *plan) {
    return plan->base.desc.layer->args.bn.eps;
}

static Status infer(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_infer(at[1], at[0], at[6], at[2], at[3], at[4], at[5], plan_type(plan),
                          plan_rows(plan), plan_channels(plan), bn_eps(plan), plan->base.desc.relu,
                          call_stream(call)));
    return ST_OK;
}

static Status train(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_train(at[1], at[4], at[5], at[6], at[7], at[0], at[9], at[2], at[3],
                          plan_type(plan), plan_rows(plan), plan_channels(plan), bn_eps(plan),
                          plan->base.desc.relu, at[8], call_stream(call)));
    return ST_OK;
}

static Status train_backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    const OpDesc *desc = &plan->base.desc;
    void *const *at = call->at;
    bool masks = desc->relu && !desc->add;
    TRY_CUDA(gpu_bn_backward(at[8], at[6], at[7], at[1], at[0], masks ? at[2] : NULL, at[3], at[4],
                             at[5], plan_type(plan), plan_rows(plan), plan_channels(plan),
                             desc->grad_in[0] == GRAD_ADD, at[9], call_stream(call)));
    return ST_OK;
}

/* grad_in[1] of a fused addition: the gradient behind it, which is grad_out masked by the ReLU. */
static Status give_assigned(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    if (plan->base.desc.relu)
        TRY_CUDA(gpu_relu_backward(at[0], at[1], at[2], plan_type(plan), plan_count(plan), false,
                                   call_stream(call)));
    else
        TRY_CUDA(gpu_scale(at[0], at[1], 1, plan_type(plan), plan_count(plan), false,
                           call_stream(call)));
    return ST_OK;
}

/* The same where grad_out is masked already. */
static Status give_added(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_scale(call->at[0], call->at[1], 1, plan_type(plan), plan_count(plan), true,
                       call_stream(call)));
    return ST_OK;
}

/* Masks the gradient where a ReLU is fused; returns where bn's own backward finds it. Where the
 * other summand's gradient is assigned that is the place, which saves a copy. */
static Operand mask_gradient(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (desc->grad_in[1] != GRAD_ASSIGN) {
        plan_grad_relu(plan);
        return AT_GRAD_OUT;
    }
    plan->base.backward_reads_out = desc->relu;
    LAUNCH_STEP(plan, PASS_BACKWARD, give_assigned, AT_GRAD_IN(1), AT_GRAD_OUT, AT_OUT);
    return AT_GRAD_IN(1);
}

/* Comes last: what is added to may be bn's own gradient, of an input that is both summands. */
static void finish_gradient(StepPlan *plan) {
    if (plan->base.desc.grad_in[1] == GRAD_ADD)
        LAUNCH_STEP(plan, PASS_BACKWARD, give_added, AT_GRAD_IN(1), AT_GRAD_OUT);
}

/* The statistics that cuDNN's forward leaves to us. */
static Status report(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_stats(at[2], at[3], at[0], at[1], plan_rows(plan), plan_channels(plan),
                          bn_eps(plan), call_stream(call)));
    return ST_OK;
}

/* Vectors of an op: its parameters, their gradients, and the batch's statistics, from forward to
 * backward. */
typedef struct Vectors {
    Operand weight, bias, grad_weight, grad_bias, mean, rstd;
} Vectors;

static Status fill_ones(const StepCall *call) {
    TRY_CUDA(gpu_fill(call->at[0], 1, plan_channels(call->plan), call_stream(call)));
    return ST_OK;
}

static Status fill_zeros(const StepCall *call) {
    TRY_CUDA(gpu_fill(call->at[0], 0, plan_channels(call->plan), call_stream(call)));
    return ST_OK;
}

static Operand constant(StepPlan *plan, size_t row, StepFn fill) {
    Operand packed = steps_packed(plan, row);
    LAUNCH_STEP(plan, PASS_PACK, fill, packed);
    return packed;
}

static Vectors list_vectors(StepPlan *plan) {
    const Layer *layer = plan->base.desc.layer;
    size_t row = (size_t)plan_channels(plan) * sizeof(float);
    int bias = bn_bias_param(layer);
    Vectors at = {.weight = AT_PARAM(WEIGHT), .bias = AT_PARAM(bias)};
    if (!layer->args.bn.scale)
        at.weight = constant(plan, row, fill_ones);
    if (!layer->args.bn.bias)
        at.bias = constant(plan, row, fill_zeros);
    if (!plan->base.desc.training)
        return at;
    at.mean = steps_saved(plan, row);
    at.rstd = steps_saved(plan, row);
    at.grad_weight = layer->args.bn.scale ? AT_GRAD_PARAM(WEIGHT) : steps_saved(plan, row);
    at.grad_bias = layer->args.bn.bias ? AT_GRAD_PARAM(bias) : steps_saved(plan, row);
    return at;
}

static void forward_steps(StepPlan *plan, const GraphBn *bn, const Vectors *at) {
    Graph *graph = NULL;
    if (plan_has_engine(graph_bn_forward(plan_target(plan), bn, &graph))) {
        GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, {AT_OUT, ROLE_Y},
                   {at->weight, ROLE_SCALE}, {at->bias, ROLE_BIAS}, {at->mean, ROLE_MEAN},
                   {at->rstd, ROLE_RSTD}, {AT_IN(1), ROLE_Z});
        LAUNCH_STEP(plan, PASS_FORWARD, report, at->mean, at->rstd, AT_STATS(MEAN),
                    AT_STATS(VARIANCE));
        return;
    }
    plan->base.own_kernels = true;
    steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PASS_FORWARD, train, AT_IN(0), AT_OUT, at->weight, at->bias, at->mean,
                at->rstd, AT_STATS(MEAN), AT_STATS(VARIANCE), AT_WORKSPACE, AT_IN(1));
}

static void backward_steps(StepPlan *plan, const GraphBn *bn, const Vectors *at) {
    Graph *graph = NULL;
    if (plan_has_engine(graph_bn_backward(plan_target(plan), bn->shape, bn->dtype, &graph))) {
        Operand gradient = mask_gradient(plan);
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_IN(0), ROLE_X}, {gradient, ROLE_DY},
                   {at->weight, ROLE_SCALE}, {at->mean, ROLE_MEAN}, {at->rstd, ROLE_RSTD},
                   {at->grad_weight, ROLE_DSCALE}, {at->grad_bias, ROLE_DBIAS},
                   plan_grad_in(plan, 0, ROLE_DX));
        plan_finish_grad_in(plan, 0);
    } else {
        plan->base.own_kernels = true;
        plan->base.backward_reads_out = bn->relu;
        steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
        Operand gradient = bn->add ? mask_gradient(plan) : AT_GRAD_OUT;
        /* Where the input's gradient is not wanted its address is NULL, which is what the kernel
         * asks. */
        LAUNCH_STEP(plan, PASS_BACKWARD, train_backward, AT_IN(0), gradient, AT_OUT, at->weight,
                    at->mean, at->rstd, at->grad_weight, at->grad_bias, AT_GRAD_IN(0),
                    AT_WORKSPACE);
    }
    finish_gradient(plan);
}

static Status bn_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    GraphBn bn = {.dtype = plan_type(plan),
                  .shape = desc->out.shape,
                  .eps = bn_eps(plan),
                  .add = desc->add,
                  .relu = desc->relu};
    Vectors at = list_vectors(plan);
    if (!desc->training) {
        LAUNCH_STEP(plan, PASS_FORWARD, infer, AT_IN(0), AT_OUT, at.weight, at.bias,
                    AT_RUNNING(MEAN), AT_RUNNING(VARIANCE), AT_IN(1));
        return ST_OK;
    }
    plan->base.backward_reads_in = READS_IN(0);
    forward_steps(plan, &bn, &at);
    backward_steps(plan, &bn, &at);
    return ST_OK;
}

CUDA_OP(bn);
