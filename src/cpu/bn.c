/* cpu/bn: batch norm. Training keeps the batch's mean and biased variance (and, for a fused ReLU,
 * oneDNN's mask) in `saved` for backward, and reports mean and unbiased variance. */
#include "plan.h"

/* stats from the saved statistics; the unbiased variance of a single value is 0. */
static Status report(const CpuPlan *plan, void *const *at, const LaneRun *run) {
    (void)run;
    Shape in = plan->base.desc.in[0].shape;
    const float *mean = at[0], *biased = at[1];
    float *stats_mean = at[2], *stats_var = at[3];
    double count = (double)(in.n * in.h * in.w);
    double factor = count > 1 ? count / (count - 1) : 0;
    for (int64_t c = 0; c < in.c; c++) {
        stats_mean[c] = mean[c];
        stats_var[c] = (float)(biased[c] * factor);
    }
    return ST_OK;
}

static Status bn_evaluation(CpuPlan *plan, const MemDesc *md, double eps) {
    Step *step = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_OUT, DNNL_ARG_DST, 0},
                      {AT_RUNNING_MEAN, DNNL_ARG_MEAN, 0}, {AT_RUNNING_VAR, DNNL_ARG_VARIANCE, 0},
                      {AT_WEIGHT, DNNL_ARG_SCALE, 0}, {AT_BIAS, DNNL_ARG_SHIFT, 0});
    return primitive_bn_forward(plan->device->engine, md, eps, false, plan->base.desc.relu,
                                &step->primitive);
}

static Status bn_steps(CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    double eps = desc->layer->args.bn.eps;
    MemDesc md = plan_md_in(plan);
    dnnl_engine_t engine = plan->device->engine;
    if (!desc->training)
        return bn_evaluation(plan, &md, eps);

    size_t row = (size_t)desc->in[0].shape.c * sizeof(float);
    size_t mean = plan_saved(plan, row), var = plan_saved(plan, row);
    Step *forward = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_OUT, DNNL_ARG_DST, 0},
                         {AT_SAVED, DNNL_ARG_MEAN, mean}, {AT_SAVED, DNNL_ARG_VARIANCE, var},
                         {AT_WEIGHT, DNNL_ARG_SCALE, 0}, {AT_BIAS, DNNL_ARG_SHIFT, 0});
    plan->base.backward_reads_in = true;
    TRY(primitive_bn_forward(engine, &md, eps, true, desc->relu, &forward->primitive));
    STEP(plan, PHASE_FORWARD, {AT_SAVED, 0, mean}, {AT_SAVED, 0, var}, {AT_STATS_MEAN, 0, 0},
         {AT_STATS_VAR, 0, 0})
        ->loop = report;

    /* In a net that starts with bn nothing reads the input's gradient, but oneDNN writes it. */
    bool wanted = desc->grad_in[0] != GRAD_NONE;
    /* oneDNN 2 wants the shift in backward too. */
    Step *backward =
        STEP(plan, PHASE_BACKWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_SAVED, DNNL_ARG_MEAN, mean},
             {AT_SAVED, DNNL_ARG_VARIANCE, var}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
             {AT_WEIGHT, DNNL_ARG_SCALE, 0}, {AT_BIAS, DNNL_ARG_SHIFT, 0},
             {AT_GRAD_WEIGHT, DNNL_ARG_DIFF_SCALE, 0}, {AT_GRAD_BIAS, DNNL_ARG_DIFF_SHIFT, 0},
             {wanted ? AT_GRAD_IN : AT_GRAD_OUT, DNNL_ARG_DIFF_SRC, 0});
    TRY(primitive_bn_backward(engine, &md, eps, desc->relu, &forward->primitive,
                              &backward->primitive));
    size_t mask = primitive_bytes(&forward->primitive, DNNL_ARG_WORKSPACE);
    if (mask > 0) {
        Arg workspace = {AT_SAVED, DNNL_ARG_WORKSPACE, plan_saved(plan, mask)};
        step_argument(forward, workspace);
        step_argument(backward, workspace);
    }
    return wanted ? plan_grad_in(plan, backward, DNNL_ARG_DIFF_SRC, 0) : ST_OK;
}

CPU_OP(bn);
