/* cuda/bn: batch norm, with a fused ReLU. Training is cuDNN's where it has an engine (whole vectors
 * of channels), else our kernels'; both keep the batch's mean and 1 / sqrt(var + eps) in `saved`
 * for backward and report mean and unbiased variance. Evaluation is a kernel. */
#include "plan.h"

static double bn_eps(const CudaPlan *plan) {
    return plan->base.desc.layer->args.bn.eps;
}

static Status infer(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bn_infer(at[1], at[0], at[2], at[3], at[4], at[5], plan_type(plan),
                          plan_rows(plan), plan_channels(plan), bn_eps(plan), plan->base.desc.relu,
                          stream->stream));
    return ST_OK;
}

static Status train(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bn_train(at[1], at[4], at[5], at[6], at[7], at[0], at[2], at[3], plan_type(plan),
                          plan_rows(plan), plan_channels(plan), bn_eps(plan), plan->base.desc.relu,
                          at[8], stream->stream));
    return ST_OK;
}

static Status train_backward(const CudaPlan *plan, Stream *stream, void *const *at,
                             const LaneRun *run) {
    (void)run;
    const OpDesc *desc = &plan->base.desc;
    TRY_CUDA(gpu_bn_backward(at[8], at[6], at[7], at[1], at[0], desc->relu ? at[2] : NULL, at[3],
                             at[4], at[5], plan_type(plan), plan_rows(plan), plan_channels(plan),
                             desc->grad_in[0] == GRAD_ADD, at[9], stream->stream));
    return ST_OK;
}

/* The statistics that cuDNN's forward leaves to us. */
static Status report(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_bn_stats(at[2], at[3], at[0], at[1], plan_rows(plan), plan_channels(plan),
                          bn_eps(plan), stream->stream));
    return ST_OK;
}

/* Our own kernels for both directions. */
static void own_steps(CudaPlan *plan, size_t mean, size_t rstd) {
    const OpDesc *desc = &plan->base.desc;
    plan_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PHASE_FORWARD, train, {AT_IN, 0, 0}, {AT_OUT, 0, 0}, {AT_WEIGHT, 0, 0},
                {AT_BIAS, 0, 0}, {AT_SAVED, 0, mean}, {AT_SAVED, 0, rstd}, {AT_STATS_MEAN, 0, 0},
                {AT_STATS_VAR, 0, 0}, {AT_WORKSPACE, 0, 0});
    plan->base.backward_reads_out = desc->relu;
    /* Where the input's gradient is not wanted its address is NULL, which is what the kernel asks.
     */
    LAUNCH_STEP(plan, PHASE_BACKWARD, train_backward, {AT_IN, 0, 0}, {AT_GRAD_OUT, 0, 0},
                {AT_OUT, 0, 0}, {AT_WEIGHT, 0, 0}, {AT_SAVED, 0, mean}, {AT_SAVED, 0, rstd},
                {AT_GRAD_WEIGHT, 0, 0}, {AT_GRAD_BIAS, 0, 0}, {AT_GRAD_IN, 0, 0},
                {AT_WORKSPACE, 0, 0});
}

static void cudnn_steps(CudaPlan *plan, Graph *forward, Graph *backward, size_t mean, size_t rstd) {
    GRAPH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, ROLE_X, 0}, {AT_OUT, ROLE_Y, 0},
               {AT_WEIGHT, ROLE_SCALE, 0}, {AT_BIAS, ROLE_BIAS, 0}, {AT_SAVED, ROLE_MEAN, mean},
               {AT_SAVED, ROLE_RSTD, rstd});
    LAUNCH_STEP(plan, PHASE_FORWARD, report, {AT_SAVED, 0, mean}, {AT_SAVED, 0, rstd},
                {AT_STATS_MEAN, 0, 0}, {AT_STATS_VAR, 0, 0});
    plan_grad_relu(plan);
    GRAPH_STEP(plan, PHASE_BACKWARD, backward, {AT_IN, ROLE_X, 0}, {AT_GRAD_OUT, ROLE_DY, 0},
               {AT_WEIGHT, ROLE_SCALE, 0}, {AT_SAVED, ROLE_MEAN, mean}, {AT_SAVED, ROLE_RSTD, rstd},
               {AT_GRAD_WEIGHT, ROLE_DSCALE, 0}, {AT_GRAD_BIAS, ROLE_DBIAS, 0},
               plan_grad_in(plan, ROLE_DX));
    plan_finish_grad_in(plan);
}

static Status bn_steps(CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    GraphTarget *target = &plan->device->target;
    Shape shape = desc->out.shape;
    DType type = plan_type(plan);
    Graph *forward = NULL, *backward = NULL;
    if (!desc->training) {
        LAUNCH_STEP(plan, PHASE_FORWARD, infer, {AT_IN, 0, 0}, {AT_OUT, 0, 0}, {AT_WEIGHT, 0, 0},
                    {AT_BIAS, 0, 0}, {AT_RUNNING_MEAN, 0, 0}, {AT_RUNNING_VAR, 0, 0});
        return ST_OK;
    }
    size_t row = (size_t)shape.c * sizeof(float);
    size_t mean = plan_saved(plan, row), rstd = plan_saved(plan, row);
    plan->base.backward_reads_in = true;
    if (plan_has_engine(
            graph_bn_forward(target, shape, type, bn_eps(plan), desc->relu, &forward)) &&
        plan_has_engine(graph_bn_backward(target, shape, type, &backward))) {
        cudnn_steps(plan, forward, backward, mean, rstd);
        return ST_OK;
    }
    graph_free(target, forward);
    own_steps(plan, mean, rstd);
    return ST_OK;
}

CUDA_OP(bn);
