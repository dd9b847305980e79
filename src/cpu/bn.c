/* cpu/bn: batch norm. Training keeps the batch's mean and biased variance (and, for a fused ReLU,
 * oneDNN's mask) in `saved` for backward, and reports mean and unbiased variance. */
#include "plan.h"

/* stats from the saved statistics; the unbiased variance of a single value is 0. */
static Status report(const StepCall *call) {
    Shape in = call->plan->base.desc.in[0].shape;
    const float *mean = call->at[0], *biased = call->at[1];
    float *stats_mean = call->at[2], *stats_var = call->at[3];
    double count = (double)(in.n * in.h * in.w);
    double factor = count > 1 ? count / (count - 1) : 0;
    for (int64_t c = 0; c < in.c; c++) {
        stats_mean[c] = mean[c];
        stats_var[c] = (float)(biased[c] * factor);
    }
    return ST_OK;
}

static Status bn_evaluation(StepPlan *plan, const MemDesc *md, double eps) {
    dnnl_primitive_t forward;
    TRY(primitive_bn_forward(plan_engine(plan), md, eps, false, plan->base.desc.relu, &forward));
    PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC}, {AT_OUT, DNNL_ARG_DST},
                   {AT_RUNNING(MEAN), DNNL_ARG_MEAN}, {AT_RUNNING(VARIANCE), DNNL_ARG_VARIANCE},
                   {AT_PARAM(WEIGHT), DNNL_ARG_SCALE}, {AT_PARAM(BIAS), DNNL_ARG_SHIFT});
    return ST_OK;
}

static Status bn_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    double eps = desc->layer->args.bn.eps;
    MemDesc md = plan_md_in(plan);
    dnnl_primitive_t forward, backward;
    if (!desc->training)
        return bn_evaluation(plan, &md, eps);

    size_t row = (size_t)desc->in[0].shape.c * sizeof(float);
    Operand mean = steps_saved(plan, row), variance = steps_saved(plan, row);
    plan->base.backward_reads_in = READS_IN(0);
    TRY(primitive_bn_forward(plan_engine(plan), &md, eps, true, desc->relu, &forward));
    Step *forward_step =
        PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC},
                       {AT_OUT, DNNL_ARG_DST}, {mean, DNNL_ARG_MEAN}, {variance, DNNL_ARG_VARIANCE},
                       {AT_PARAM(WEIGHT), DNNL_ARG_SCALE}, {AT_PARAM(BIAS), DNNL_ARG_SHIFT});
    LOOP_STEP(plan, PASS_FORWARD, report, mean, variance, AT_STATS(MEAN), AT_STATS(VARIANCE));

    /* In a net that starts with bn nothing reads the input's gradient, but oneDNN writes it. */
    bool wanted = desc->grad_in[0] != GRAD_NONE;
    TRY(primitive_bn_backward(plan_engine(plan), &md, eps, desc->relu, forward, &backward));
    Step *backward_step = PRIMITIVE_STEP(
        plan, PASS_BACKWARD, backward, {AT_IN(0), DNNL_ARG_SRC}, {mean, DNNL_ARG_MEAN},
        {variance, DNNL_ARG_VARIANCE}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
        {AT_PARAM(WEIGHT), DNNL_ARG_SCALE}, {AT_GRAD_PARAM(WEIGHT), DNNL_ARG_DIFF_SCALE},
        {AT_GRAD_PARAM(BIAS), DNNL_ARG_DIFF_SHIFT},
        {wanted ? AT_GRAD_IN(0) : AT_GRAD_OUT, DNNL_ARG_DIFF_SRC});
    if (BN_BACKWARD_SHIFT != 0)
        steps_argument(plan, backward_step, (Arg){AT_PARAM(BIAS), BN_BACKWARD_SHIFT});
    size_t mask = primitive_bytes(forward, DNNL_ARG_WORKSPACE);
    if (mask > 0) {
        Arg workspace = {steps_saved(plan, mask), DNNL_ARG_WORKSPACE};
        steps_argument(plan, forward_step, workspace);
        steps_argument(plan, backward_step, workspace);
    }
    return wanted ? plan_grad_in(plan, backward_step, 0) : ST_OK;
}

CPU_OP(bn);
