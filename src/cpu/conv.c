/* cpu/conv: convolution, by Winograd where rule_winograd says so. The bias and a fused ReLU are
 * part of the forward primitive; backward masks grad_out by the ReLU first. The weights' gradient
 * comes first of the two, since its temp is free again when the input's needs it. */
#include "plan.h"

static Status conv_backward(StepPlan *plan, const Product *product, const_dnnl_primitive_t forward,
                            const MemDesc *plain) {
    dnnl_primitive_t weights, data;
    TRY(plan_grad_relu(plan));
    TRY(primitive_conv_backward_weights(plan_engine(plan), product, forward, &weights));
    Step *weights_step = PRIMITIVE_STEP(
        plan, PASS_BACKWARD, weights, {AT_IN(0), DNNL_ARG_SRC}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
        {AT_GRAD_PARAM(WEIGHT), DNNL_ARG_DIFF_WEIGHTS},
        {product->has_bias ? AT_GRAD_PARAM(BIAS) : AT_NOTHING, DNNL_ARG_DIFF_BIAS});
    TRY(plan_grad_weights(plan, weights_step, WEIGHT, plain));
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    TRY(primitive_conv_backward_data(plan_engine(plan), product, forward, &data));
    Step *data_step =
        PRIMITIVE_STEP(plan, PASS_BACKWARD, data, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                       {AT_PARAM(WEIGHT), DNNL_ARG_WEIGHTS}, {AT_GRAD_IN(0), DNNL_ARG_DIFF_SRC});
    TRY(plan_weights(plan, data_step, WEIGHT, plain));
    return plan_grad_in(plan, data_step, 0);
}

static Status conv_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    Shape in = desc->in[0].shape, out = desc->out.shape;
    const int64_t dim[] = {out.c, in.c, args->kernel, args->kernel};
    bool wide = ((const CpuDevice *)plan->device)->wide;
    MemDesc plain = md_plain(4, dim);
    Product product = {.src = plan_md_in(plan),
                       .dst = plan_md_out(plan),
                       .weights = md_typed(md_any(4, dim), plan_type(plan)),
                       .bias = md_plain(1, dim),
                       .has_bias = args->bias,
                       .relu = desc->relu,
                       .stride = args->stride,
                       .pad = args->pad,
                       .winograd =
                           plan_type(plan) == DT_F32 &&
                           rule_winograd(in, out, args->kernel, args->stride, args->pad, wide)};
    dnnl_primitive_t forward;
    plan->base.backward_reads_in = READS_IN(0);
    plan->base.backward_reads_out = desc->relu;
    TRY(primitive_conv_forward(plan_engine(plan), &product, &forward));
    Step *step = PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC},
                                {AT_PARAM(WEIGHT), DNNL_ARG_WEIGHTS}, {AT_OUT, DNNL_ARG_DST},
                                {args->bias ? AT_PARAM(BIAS) : AT_NOTHING, DNNL_ARG_BIAS});
    TRY(plan_weights(plan, step, WEIGHT, &plain));
    return desc->training ? conv_backward(plan, &product, forward, &plain) : ST_OK;
}

CPU_OP(conv);
