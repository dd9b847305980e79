/* cuda/bn: batch norm, with a fused addition and ReLU. In training either direction is cuDNN's
 * where it has an engine (whole vectors of channels; an addition with a ReLU behind it), else our
 * kernels'; both keep the batch's mean and 1 / sqrt(var + eps) in `saved` for backward and report
 * mean and unbiased variance. Evaluation is a kernel. A fixed scale or offset is a constant that
 * packing makes, and its gradient goes nowhere, for graphs and kernels want all of them. Without an
 * addition the other summand's address is NULL, which is what kernels and graphs ask. Over the
 * whole step kernels alone compute, and nothing is fused behind (fuse.c). */
#include "lockstep/bn_sums.h"
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

/* Both passes as graphs with a mask of bits between them, so that no step of its own masks the
 * gradient; which a fused addition's summand is given by the same graph, where it is assigned.
 * cuDNN has engines for that in bf16 alone. */
typedef struct Masked {
    Graph *forward, *backward; /* NULL: there is none */
    Operand mask;
} Masked;

static Masked plan_masked(StepPlan *plan, const GraphBn *bn) {
    GraphTarget *target = plan_target(plan);
    GradMode summand = bn->add ? plan->base.desc.grad_in[1] : GRAD_NONE;
    Masked masked = {0};
    GraphBn with = *bn;
    with.mask = true;
    if (bn->dtype != DT_BF16 || !bn->relu || summand == GRAD_ADD ||
        !plan_has_engine(graph_bn_forward(target, &with, &masked.forward)))
        return (Masked){0};
    with.add = summand == GRAD_ASSIGN;
    if (!plan_has_engine(graph_bn_backward(target, &with, &masked.backward))) {
        graph_free(target, masked.forward);
        return (Masked){0};
    }
    masked.mask = steps_saved(plan, graph_mask_bytes(bn->shape));
    return masked;
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

static void forward_steps(StepPlan *plan, const GraphBn *bn, const Masked *masked,
                          const Vectors *at) {
    Graph *graph = masked->forward;
    if (graph || plan_has_engine(graph_bn_forward(plan_target(plan), bn, &graph))) {
        GRAPH_STEP(plan, PASS_FORWARD, graph, {AT_IN(0), ROLE_X}, {AT_OUT, ROLE_Y},
                   {at->weight, ROLE_SCALE}, {at->bias, ROLE_BIAS}, {at->mean, ROLE_MEAN},
                   {at->rstd, ROLE_RSTD}, {AT_IN(1), ROLE_Z}, {masked->mask, ROLE_MASK});
        LAUNCH_STEP(plan, PASS_FORWARD, report, at->mean, at->rstd, AT_STATS(MEAN),
                    AT_STATS(VARIANCE));
        return;
    }
    plan->base.own_kernels = true;
    steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PASS_FORWARD, train, AT_IN(0), AT_OUT, at->weight, at->bias, at->mean,
                at->rstd, AT_STATS(MEAN), AT_STATS(VARIANCE), AT_WORKSPACE, AT_IN(1));
}

static void backward_steps(StepPlan *plan, const GraphBn *bn, const Masked *masked,
                           const Vectors *at) {
    Graph *graph = masked->backward;
    if (graph || plan_has_engine(graph_bn_backward(plan_target(plan), bn, &graph))) {
        Operand gradient = masked->backward ? AT_GRAD_OUT : mask_gradient(plan);
        GRAPH_STEP(plan, PASS_BACKWARD, graph, {AT_IN(0), ROLE_X}, {gradient, ROLE_DY},
                   {at->weight, ROLE_SCALE}, {at->mean, ROLE_MEAN}, {at->rstd, ROLE_RSTD},
                   {at->grad_weight, ROLE_DSCALE}, {at->grad_bias, ROLE_DBIAS},
                   plan_grad_in(plan, 0, ROLE_DX), {AT_GRAD_IN(1), ROLE_DZ},
                   {masked->mask, ROLE_MASK});
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

static Status share_moments(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_share_moments(at[1], at[0], plan_type(plan), plan_rows(plan),
                                  plan_channels(plan), at[2], call_stream(call)));
    return ST_OK;
}

static Status take_moments(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_take_moments(at[1], at[4], at[5], at[6], at[7], at[8], at[9], at[0], at[2],
                                 at[3], plan_type(plan), plan_rows(plan), plan_channels(plan),
                                 bn_eps(plan), call_stream(call)));
    return ST_OK;
}

static Status share_slopes(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_share_slopes(at[6], at[4], at[5], at[1], at[0], at[2], at[3], plan_type(plan),
                                 plan_rows(plan), plan_channels(plan), at[7], call_stream(call)));
    return ST_OK;
}

static Status take_slopes(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_bn_take_slopes(at[8], at[6], at[5], at[1], at[0], at[2], at[3], at[4], at[7],
                                plan_type(plan), plan_rows(plan), plan_channels(plan),
                                plan->base.desc.grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status steps_over_batch(StepPlan *plan, const Vectors *at) {
    int64_t channels = plan_channels(plan);
    Operand count = steps_saved(plan, sizeof(double));
    plan->base.shared = bn_sums_count(channels);
    steps_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), channels));
    steps_need_workspace(plan, 2 * (size_t)channels * sizeof(float));
    LAUNCH_STEP(plan, PASS_FORWARD, share_moments, AT_IN(0), AT_SHARED, AT_WORKSPACE);
    LAUNCH_STEP(plan, PASS_FORWARD_REST, take_moments, AT_IN(0), AT_OUT, at->weight, at->bias,
                at->mean, at->rstd, count, AT_STATS(MEAN), AT_STATS(VARIANCE), AT_SHARED);
    LAUNCH_STEP(plan, PASS_BACKWARD, share_slopes, AT_IN(0), AT_GRAD_OUT, at->mean, at->rstd,
                at->grad_weight, at->grad_bias, AT_SHARED, AT_WORKSPACE);
    if (plan->base.desc.grad_in[0] != GRAD_NONE)
        LAUNCH_STEP(plan, PASS_BACKWARD_REST, take_slopes, AT_IN(0), AT_GRAD_OUT, at->weight,
                    at->mean, at->rstd, count, AT_SHARED, AT_WORKSPACE, AT_GRAD_IN(0));
    return ST_OK;
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
    if (desc->layer->args.bn.over == BN_OVER_BATCH)
        return steps_over_batch(plan, &at);
    Masked masked = plan_masked(plan, &bn);
    forward_steps(plan, &bn, &masked, &at);
    backward_steps(plan, &bn, &masked, &at);
    return ST_OK;
}

CUDA_OP(bn);
