/* cuda/bn: batch norm, with a fused addition and ReLU. In training either direction is cuDNN's
 * where it has an engine (whole vectors of channels; an addition with a ReLU behind it), else our
 * kernels'; both keep the batch's mean and 1 / sqrt(var + eps) in `saved` for backward and report
 * mean and unbiased variance. Evaluation is a kernel. Without an addition the other summand's
 * address is NULL, which is what kernels and graphs ask. */
#include "plan.h"

static double bn_eps(const CudaPlan *plan) {
    return plan->base.desc.layer->args.bn.eps;
}

static Status infer(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bn_infer(at[1], at[0], at[6], at[2], at[3], at[4], at[5], plan_type(plan),
                          plan_rows(plan), plan_channels(plan), bn_eps(plan), plan->base.desc.relu,
                          stream->stream));
    return ST_OK;
}

static Status train(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bn_train(at[1], at[4], at[5], at[6], at[7], at[0], at[9], at[2], at[3],
                          plan_type(plan), plan_rows(plan), plan_channels(plan), bn_eps(plan),
                          plan->base.desc.relu, at[8], stream->stream));
    return ST_OK;
}

static Status train_backward(const CudaPlan *plan, Stream *stream, void *const *at,
                             const LaneRun *run) {
    (void)run;
    const OpDesc *desc = &plan->base.desc;
    bool masks = desc->relu && !desc->add;
    TRY_CUDA(gpu_bn_backward(at[8], at[6], at[7], at[1], at[0], masks ? at[2] : NULL, at[3], at[4],
                             at[5], plan_type(plan), plan_rows(plan), plan_channels(plan),
                             desc->grad_in[0] == GRAD_ADD, at[9], stream->stream));
    return ST_OK;
}

/* grad_in[1] of a fused addition: the gradient behind it, which is grad_out masked by the ReLU. */
static Status give_assigned(const CudaPlan *plan, Stream *stream, void *const *at,
                            const LaneRun *run) {
    (void)run;
    if (plan->base.desc.relu)
        TRY_CUDA(gpu_relu_backward(at[0], at[1], at[2], plan_type(plan), plan_count(plan), false,
                                   stream->stream));
    else
        TRY_CUDA(
            gpu_scale(at[0], at[1], 1, plan_type(plan), plan_count(plan), false, stream->stream));
    return ST_OK;
}

/* The same where grad_out is masked already. */
static Status give_added(const CudaPlan *plan, Stream *stream, void *const *at,
                         const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_scale(at[0], at[1], 1, plan_type(plan), plan_count(plan), true, stream->stream));
    return ST_OK;
}

/* Masks the gradient where a ReLU is fused; returns where bn's own backward finds it. Where the
 * other summand's gradient is assigned that is the place, which saves a copy. */
static Place mask_gradient(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (desc->grad_in[1] != GRAD_ASSIGN) {
        plan_grad_relu(plan);
        return AT_GRAD_OUT;
    }
    plan->base.backward_reads_out = desc->relu;
    LAUNCH_STEP(plan, PHASE_BACKWARD, give_assigned, {AT_GRAD_IN2, 0, 0}, {AT_GRAD_OUT, 0, 0},
                {AT_OUT, 0, 0});
    return AT_GRAD_IN2;
}

/* Comes last: what is added to may be bn's own gradient, of an input that is both summands. */
static void finish_gradient(CudaPlan *plan) {
    if (plan->base.desc.grad_in[1] == GRAD_ADD)
        LAUNCH_STEP(plan, PHASE_BACKWARD, give_added, {AT_GRAD_IN2, 0, 0}, {AT_GRAD_OUT, 0, 0});
}

/* The statistics that cuDNN's forward leaves to us. */
static Status report(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bn_stats(at[2], at[3], at[0], at[1], plan_rows(plan), plan_channels(plan),
                          bn_eps(plan), stream->stream));
    return ST_OK;
}

/* Where the batch's statistics stand in `saved`. */
typedef struct Saved {
    size_t mean, rstd;
} Saved;

static void forward_steps(CudaPlan *plan, const GraphBn *bn, Saved at) {
    Graph *graph = NULL;
    if (plan_has_engine(graph_bn_forward(&plan->device->target, bn, &graph))) {
        GRAPH_STEP(plan, PHASE_FORWARD, graph, {AT_IN, ROLE_X, 0}, {AT_OUT, ROLE_Y, 0},
                   {AT_WEIGHT, ROLE_SCALE, 0}, {AT_BIAS, ROLE_BIAS, 0},
                   {AT_SAVED, ROLE_MEAN, at.mean}, {AT_SAVED, ROLE_RSTD, at.rstd},
                   {AT_IN2, ROLE_Z, 0});
        LAUNCH_STEP(plan, PHASE_FORWARD, report, {AT_SAVED, 0, at.mean}, {AT_SAVED, 0, at.rstd},
                    {AT_STATS_MEAN, 0, 0}, {AT_STATS_VAR, 0, 0});
        return;
    }
    plan->base.own_kernels = true;
    plan_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PHASE_FORWARD, train, {AT_IN, 0, 0}, {AT_OUT, 0, 0}, {AT_WEIGHT, 0, 0},
                {AT_BIAS, 0, 0}, {AT_SAVED, 0, at.mean}, {AT_SAVED, 0, at.rstd},
                {AT_STATS_MEAN, 0, 0}, {AT_STATS_VAR, 0, 0}, {AT_WORKSPACE, 0, 0}, {AT_IN2, 0, 0});
}

static void backward_steps(CudaPlan *plan, const GraphBn *bn, Saved at) {
    Graph *graph = NULL;
    if (plan_has_engine(graph_bn_backward(&plan->device->target, bn->shape, bn->dtype, &graph))) {
        Place gradient = mask_gradient(plan);
        GRAPH_STEP(plan, PHASE_BACKWARD, graph, {AT_IN, ROLE_X, 0}, {gradient, ROLE_DY, 0},
                   {AT_WEIGHT, ROLE_SCALE, 0}, {AT_SAVED, ROLE_MEAN, at.mean},
                   {AT_SAVED, ROLE_RSTD, at.rstd}, {AT_GRAD_WEIGHT, ROLE_DSCALE, 0},
                   {AT_GRAD_BIAS, ROLE_DBIAS, 0}, plan_grad_in(plan, ROLE_DX));
        plan_finish_grad_in(plan);
    } else {
        plan->base.own_kernels = true;
        plan->base.backward_reads_out = bn->relu;
        plan_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
        Place gradient = bn->add ? mask_gradient(plan) : AT_GRAD_OUT;
        /* Where the input's gradient is not wanted its address is NULL, which is what the kernel
         * asks. */
        LAUNCH_STEP(plan, PHASE_BACKWARD, train_backward, {AT_IN, 0, 0}, {gradient, 0, 0},
                    {AT_OUT, 0, 0}, {AT_WEIGHT, 0, 0}, {AT_SAVED, 0, at.mean},
                    {AT_SAVED, 0, at.rstd}, {AT_GRAD_WEIGHT, 0, 0}, {AT_GRAD_BIAS, 0, 0},
                    {AT_GRAD_IN, 0, 0}, {AT_WORKSPACE, 0, 0});
    }
    finish_gradient(plan);
}

static Status bn_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    GraphBn bn = {.dtype = plan_type(plan),
                  .shape = desc->out.shape,
                  .eps = bn_eps(plan),
                  .add = desc->add,
                  .relu = desc->relu};
    size_t row = (size_t)bn.shape.c * sizeof(float);
    if (!desc->training) {
        LAUNCH_STEP(plan, PHASE_FORWARD, infer, {AT_IN, 0, 0}, {AT_OUT, 0, 0}, {AT_WEIGHT, 0, 0},
                    {AT_BIAS, 0, 0}, {AT_RUNNING_MEAN, 0, 0}, {AT_RUNNING_VAR, 0, 0},
                    {AT_IN2, 0, 0});
        return ST_OK;
    }
    Saved at;
    at.mean = plan_saved(plan, row);
    at.rstd = plan_saved(plan, row);
    plan->base.backward_reads_in = true;
    forward_steps(plan, &bn, at);
    backward_steps(plan, &bn, at);
    return ST_OK;
}

CUDA_OP(bn);
