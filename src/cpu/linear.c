/* cpu/linear: y = weight x + bias, over the input flattened in C, H, W order. oneDNN's inner
 * product takes maps in any layout, with weights in a form to match: packing them does the
 * flattening. */
#include "plan.h"

static Status linear_backward(CpuPlan *plan, const Product *product, const Kernel *forward,
                              const MemDesc *plain) {
    TRY(plan_grad_relu(plan));
    Step *weights =
        STEP(plan, PHASE_BACKWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
             {AT_GRAD_WEIGHT, DNNL_ARG_DIFF_WEIGHTS, 0},
             {product->has_bias ? AT_GRAD_BIAS : AT_NOTHING, DNNL_ARG_DIFF_BIAS, 0});
    TRY(kernel_linear_backward_weights(plan->device->engine, product, forward, &weights->kernel));
    TRY(plan_grad_weights(plan, weights, plain));
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    Step *data = STEP(plan, PHASE_BACKWARD, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
                      {AT_WEIGHT, DNNL_ARG_WEIGHTS, 0}, {AT_GRAD_IN, DNNL_ARG_DIFF_SRC, 0});
    TRY(kernel_linear_backward_data(plan->device->engine, product, forward, &data->kernel));
    TRY(plan_weights(plan, data, plain));
    return plan_grad_in(plan, data, DNNL_ARG_DIFF_SRC, 0);
}

static Status linear_steps(CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const LinearArgs *args = &desc->layer->args.linear;
    Shape in = desc->in[0].shape;
    int ndim = in.h * in.w > 1 ? 4 : 2;
    const int64_t dim[] = {desc->out.shape.c, in.c, in.h, in.w};
    const int64_t src[] = {in.n, in.c}, dst[] = {in.n, desc->out.shape.c};
    MemDesc plain = md_plain(ndim, dim);
    Product product = {.src = ndim == 4 ? plan_md_in(plan) : md_plain(2, src),
                       .dst = md_plain(2, dst),
                       .weights = md_any(ndim, dim),
                       .bias = md_plain(1, dim),
                       .has_bias = args->bias,
                       .relu = desc->relu};
    Step *forward =
        STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_WEIGHT, DNNL_ARG_WEIGHTS, 0},
             {AT_OUT, DNNL_ARG_DST, 0}, {args->bias ? AT_BIAS : AT_NOTHING, DNNL_ARG_BIAS, 0});
    plan->base.backward_reads_in = true;
    plan->base.backward_reads_out = desc->relu;
    TRY(kernel_linear_forward(plan->device->engine, &product, &forward->kernel));
    TRY(plan_weights(plan, forward, &plain));
    return desc->training ? linear_backward(plan, &product, &forward->kernel, &plain) : ST_OK;
}

CPU_OP(linear);
