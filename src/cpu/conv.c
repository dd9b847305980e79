/* cpu/conv: convolution, by Winograd where rule_winograd says so. The bias and a fused ReLU are
 * part of the forward primitive; backward masks grad_out by the ReLU first. The weights' gradient
 * comes first of the two, since its temp is free again when the input's needs it. */
#include "plan.h"

static Status conv_backward(CpuPlan *plan, const Product *product, const Primitive *forward,
                            const MemDesc *plain) {
    TRY(plan_grad_relu(plan));
    Step *weights =
        STEP(plan, PHASE_BACKWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
             {AT_GRAD_WEIGHT, DNNL_ARG_DIFF_WEIGHTS, 0},
             {product->has_bias ? AT_GRAD_BIAS : AT_NOTHING, DNNL_ARG_DIFF_BIAS, 0});
    TRY(primitive_conv_backward_weights(plan->device->engine, product, forward,
                                        &weights->primitive));
    TRY(plan_grad_weights(plan, weights, plain));
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    Step *data = STEP(plan, PHASE_BACKWARD, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
                      {AT_WEIGHT, DNNL_ARG_WEIGHTS, 0}, {AT_GRAD_IN, DNNL_ARG_DIFF_SRC, 0});
    TRY(primitive_conv_backward_data(plan->device->engine, product, forward, &data->primitive));
    TRY(plan_weights(plan, data, plain));
    return plan_grad_in(plan, data, DNNL_ARG_DIFF_SRC, 0);
}

static Status conv_steps(CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    Shape in = desc->in[0].shape, out = desc->out.shape;
    const int64_t dim[] = {out.c, in.c, args->kernel, args->kernel};
    MemDesc plain = md_plain(4, dim);
    Product product = {.src = plan_md_in(plan),
                       .dst = plan_md_out(plan),
                       .weights = md_any(4, dim),
                       .bias = md_plain(1, dim),
                       .has_bias = args->bias,
                       .relu = desc->relu,
                       .stride = args->stride,
                       .pad = args->pad,
                       .winograd = rule_winograd(in, out, args->kernel, args->stride, args->pad,
                                                 plan->device->wide)};
    Step *forward =
        STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_WEIGHT, DNNL_ARG_WEIGHTS, 0},
             {AT_OUT, DNNL_ARG_DST, 0}, {args->bias ? AT_BIAS : AT_NOTHING, DNNL_ARG_BIAS, 0});
    plan->base.backward_reads_in = true;
    plan->base.backward_reads_out = desc->relu;
    TRY(primitive_conv_forward(plan->device->engine, &product, &forward->primitive));
    TRY(plan_weights(plan, forward, &plain));
    return desc->training ? conv_backward(plan, &product, &forward->primitive, &plain) : ST_OK;
}

CPU_OP(conv);
