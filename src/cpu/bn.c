/* cpu/bn: batch norm. Training keeps the lane's mean and biased variance (and, for a fused ReLU,
 * oneDNN's mask) in `saved` for backward, and reports mean and unbiased variance. Over the batch it
 * is bn_batch.c's. */
#include "bn_batch.h"

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

enum { FORWARD, BACKWARD };

static Status make(const StepPlan *plan, DType type, dnnl_primitive_t made[PRIMITIVES_MAX]) {
    const OpDesc *desc = &plan->base.desc;
    const BnArgs *args = &desc->layer->args.bn;
    dnnl_engine_t engine = plan_engine(plan);
    BatchNorm norm = {.map = md_typed(plan_md_in(plan), type),
                      .eps = args->eps,
                      .scale = args->scale,
                      .shift = args->bias,
                      .relu = desc->relu,
                      .training = desc->training};
    TRY(primitive_bn_forward(engine, &norm, &made[FORWARD]));
    return desc->training ? primitive_bn_backward(engine, &norm, made[FORWARD], &made[BACKWARD])
                          : ST_OK;
}

/* Appends the parameters that the layer has; in backward their gradients as well. */
static void add_params(StepPlan *plan, Step *step, bool backward) {
    const Layer *layer = plan->base.desc.layer;
    int bias = bn_bias_param(layer);
    if (layer->args.bn.scale)
        steps_argument(plan, step, (Arg){AT_PARAM(WEIGHT), DNNL_ARG_SCALE});
    if (layer->args.bn.scale && backward)
        steps_argument(plan, step, (Arg){AT_GRAD_PARAM(WEIGHT), DNNL_ARG_DIFF_SCALE});
    if (layer->args.bn.bias && (!backward || NORM_BACKWARD_SHIFT != 0))
        steps_argument(plan, step, (Arg){AT_PARAM(bias), DNNL_ARG_SHIFT});
    if (layer->args.bn.bias && backward)
        steps_argument(plan, step, (Arg){AT_GRAD_PARAM(bias), DNNL_ARG_DIFF_SHIFT});
}

static Status bn_evaluation(StepPlan *plan, const Activations *activations,
                            dnnl_primitive_t forward) {
    Step *step;
    TRY(ACTIVATIONS_STEP(plan, PASS_FORWARD, activations, forward, &step, {AT_IN(0), DNNL_ARG_SRC},
                         {AT_OUT, DNNL_ARG_DST}, {AT_RUNNING(MEAN), DNNL_ARG_MEAN},
                         {AT_RUNNING(VARIANCE), DNNL_ARG_VARIANCE}));
    add_params(plan, step, false);
    return ST_OK;
}

static Status bn_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Activations activations = {plan_md_in(plan), plan_md_in(plan), plan_type(plan)};
    dnnl_primitive_t made[PRIMITIVES_MAX];
    Step *forward, *backward;
    if (desc->training && desc->layer->args.bn.over == BN_OVER_BATCH)
        return bn_batch_steps(plan);
    TRY(plan_primitives(plan, make, &activations.type, made));
    if (!desc->training)
        return bn_evaluation(plan, &activations, made[FORWARD]);

    size_t row = (size_t)desc->in[0].shape.c * sizeof(float);
    Operand mean = steps_saved(plan, row), variance = steps_saved(plan, row);
    plan->base.backward_reads_in = READS_IN(0);
    TRY(ACTIVATIONS_STEP(plan, PASS_FORWARD, &activations, made[FORWARD], &forward,
                         {AT_IN(0), DNNL_ARG_SRC}, {AT_OUT, DNNL_ARG_DST}, {mean, DNNL_ARG_MEAN},
                         {variance, DNNL_ARG_VARIANCE}));
    add_params(plan, forward, false);
    LOOP_STEP(plan, PASS_FORWARD, report, mean, variance, AT_STATS(MEAN), AT_STATS(VARIANCE));

    /* In a net that starts with bn nothing reads the input's gradient, but oneDNN writes it. */
    bool wanted = desc->grad_in[0] != GRAD_NONE;
    TRY(ACTIVATIONS_STEP(plan, PASS_BACKWARD, &activations, made[BACKWARD], &backward,
                         {AT_IN(0), DNNL_ARG_SRC}, {mean, DNNL_ARG_MEAN},
                         {variance, DNNL_ARG_VARIANCE}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                         {wanted ? AT_GRAD_IN(0) : AT_GRAD_OUT, DNNL_ARG_DIFF_SRC}));
    add_params(plan, backward, true);
    size_t mask = primitive_bytes(made[FORWARD], DNNL_ARG_WORKSPACE);
    if (mask > 0) {
        Arg workspace = {steps_saved(plan, mask), DNNL_ARG_WORKSPACE};
        steps_argument(plan, forward, workspace);
        steps_argument(plan, backward, workspace);
    }
    return wanted ? plan_grad_in(plan, backward, 0) : ST_OK;
}

CPU_OP(bn);
