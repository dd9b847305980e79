/* cpu/linear: y = weight x + bias over the input flattened in C, H, W order.
 *
 * Maps in another layout are flattened by copying them into `saved`, and their gradient is copied
 * back: a few hundred KiB a lane, where oneDNN's way, permuting the weights instead, moved all of
 * them in each lane (2,048 x 1,024 weights: a fifth slower). Forward takes the weights in the form
 * it prefers, packed once a step; backward takes them and writes their gradient as they are stored,
 * since a gradient in another form would be copied in each lane. */
#include "plan.h"

/* The input in rows of C H W: where it is, and the step that brings it there. */
static Status flatten(CpuPlan *plan, Place *place) {
    const Tensor *in = &plan->base.desc.in[0];
    *place = AT_IN;
    if (in->layout == LAYOUT_PLAIN)
        return ST_OK;
    *place = AT_SAVED;
    MemDesc map = md_activation(in->shape, in->layout);
    MemDesc flat = md_activation(in->shape, LAYOUT_PLAIN);
    Step *copy = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_FROM, 0},
                      {AT_SAVED, DNNL_ARG_TO, plan_saved(plan, md_bytes(&flat))});
    return primitive_reorder(plan->device->engine, &map, &flat, false, &copy->primitive);
}

/* The gradient of `data`'s input, written in rows, where it belongs. */
static Status unflatten(CpuPlan *plan, Step *data) {
    const Tensor *in = &plan->base.desc.in[0];
    if (in->layout == LAYOUT_PLAIN)
        return plan_grad_in(plan, data, DNNL_ARG_DIFF_SRC, 0);
    MemDesc map = md_activation(in->shape, in->layout);
    MemDesc flat = md_activation(in->shape, LAYOUT_PLAIN);
    plan_temp(plan, md_bytes(&flat));
    Step *copy =
        STEP(plan, PHASE_BACKWARD, {AT_TEMP, DNNL_ARG_FROM, 0}, {AT_GRAD_IN, DNNL_ARG_TO, 0});
    return primitive_reorder(plan->device->engine, &flat, &map,
                             plan->base.desc.grad_in[0] == GRAD_ADD, &copy->primitive);
}

static Status linear_backward(CpuPlan *plan, const Product *product, const Primitive *forward,
                              Place src) {
    TRY(plan_grad_relu(plan));
    Step *weights =
        STEP(plan, PHASE_BACKWARD, {src, DNNL_ARG_SRC, 0}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
             {AT_GRAD_WEIGHT, DNNL_ARG_DIFF_WEIGHTS, 0},
             {product->has_bias ? AT_GRAD_BIAS : AT_NOTHING, DNNL_ARG_DIFF_BIAS, 0});
    TRY(primitive_linear_backward_weights(plan->device->engine, product, forward,
                                          &weights->primitive));
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    Step *data = STEP(plan, PHASE_BACKWARD, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
                      {AT_WEIGHT, DNNL_ARG_WEIGHTS, 0},
                      {src == AT_IN ? AT_GRAD_IN : AT_TEMP, DNNL_ARG_DIFF_SRC, 0});
    TRY(primitive_linear_backward_data(plan->device->engine, product, forward, &data->primitive));
    return unflatten(plan, data);
}

static Status linear_steps(CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const LinearArgs *args = &desc->layer->args.linear;
    Shape in = desc->in[0].shape;
    int64_t features = in.c * in.h * in.w;
    const int64_t weight[] = {desc->out.shape.c, features};
    MemDesc plain = md_plain(2, weight);
    Product product = {.src = md_plain(2, (int64_t[]){in.n, features}),
                       .dst = md_plain(2, (int64_t[]){in.n, desc->out.shape.c}),
                       .weights = md_any(2, weight),
                       .bias = md_plain(1, weight),
                       .has_bias = args->bias,
                       .relu = desc->relu};
    Place src;
    TRY(flatten(plan, &src));
    Step *forward =
        STEP(plan, PHASE_FORWARD, {src, DNNL_ARG_SRC, 0}, {AT_WEIGHT, DNNL_ARG_WEIGHTS, 0},
             {AT_OUT, DNNL_ARG_DST, 0}, {args->bias ? AT_BIAS : AT_NOTHING, DNNL_ARG_BIAS, 0});
    plan->base.backward_reads_in = src == AT_IN;
    plan->base.backward_reads_out = desc->relu;
    TRY(primitive_linear_forward(plan->device->engine, &product, &forward->primitive));
    TRY(plan_weights(plan, forward, &plain));
    if (!desc->training)
        return ST_OK;
    product.weights = plain;
    return linear_backward(plan, &product, &forward->primitive, src);
}

CPU_OP(linear);
