/* cpu/linear: y = weight x + bias over the input flattened in C, H, W order.
 *
 * Maps in another layout are flattened by copying them into `saved`, and their gradient is copied
 * back: a few hundred KiB a lane, where oneDNN's way, permuting the weights instead, moved all of
 * them in each lane (2,048 x 1,024 weights: a fifth slower). Forward takes the weights in the form
 * it prefers, packed once a step; backward takes them and writes their gradient as they are stored,
 * since a gradient in another form would be copied in each lane. */
#include "plan.h"

/* The input in rows of C H W: where it is, and the step that brings it there. */
static Status flatten(StepPlan *plan, Operand *src) {
    const Tensor *in = &plan->base.desc.in[0];
    dnnl_primitive_t copy;
    *src = AT_IN(0);
    if (in->layout == LAYOUT_PLAIN)
        return ST_OK;
    MemDesc map = md_activation(plan_type(plan), in->shape, in->layout);
    MemDesc flat = md_activation(plan_type(plan), in->shape, LAYOUT_PLAIN);
    TRY(primitive_reorder(plan_engine(plan), &map, &flat, false, &copy));
    *src = steps_saved(plan, md_bytes(&flat));
    PRIMITIVE_STEP(plan, PASS_FORWARD, copy, {AT_IN(0), DNNL_ARG_FROM}, {*src, DNNL_ARG_TO});
    return ST_OK;
}

/* The gradient that the last step wrote to temp in rows, to where it belongs. */
static Status unflatten(StepPlan *plan) {
    const Tensor *in = &plan->base.desc.in[0];
    MemDesc map = md_activation(plan_type(plan), in->shape, in->layout);
    MemDesc flat = md_activation(plan_type(plan), in->shape, LAYOUT_PLAIN);
    bool add = plan->base.desc.grad_in[0] == GRAD_ADD;
    dnnl_primitive_t copy;
    TRY(primitive_reorder(plan_engine(plan), &flat, &map, add, &copy));
    steps_need_temp(plan, md_bytes(&flat));
    PRIMITIVE_STEP(plan, PASS_BACKWARD, copy, {AT_TEMP, DNNL_ARG_FROM},
                   {AT_GRAD_IN(0), DNNL_ARG_TO});
    return ST_OK;
}

static Status linear_backward(StepPlan *plan, const Product *product,
                              const_dnnl_primitive_t forward, Operand src, const MemDesc *plain) {
    bool in_place = src.kind == OPERAND_IN;
    dnnl_primitive_t weights, data;
    TRY(plan_grad_relu(plan));
    TRY(primitive_linear_backward_weights(plan_engine(plan), product, forward, &weights));
    PRIMITIVE_STEP(plan, PASS_BACKWARD, weights, {src, DNNL_ARG_SRC},
                   {AT_GRAD_OUT, DNNL_ARG_DIFF_DST}, {AT_GRAD_PARAM(WEIGHT), DNNL_ARG_DIFF_WEIGHTS},
                   {product->has_bias ? AT_GRAD_PARAM(BIAS) : AT_NOTHING, DNNL_ARG_DIFF_BIAS});
    if (plan->base.desc.grad_in[0] == GRAD_NONE)
        return ST_OK;
    TRY(primitive_linear_backward_data(plan_engine(plan), product, forward, &data));
    Step *step = PRIMITIVE_STEP(plan, PASS_BACKWARD, data, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                                {AT_PARAM(WEIGHT), DNNL_ARG_WEIGHTS},
                                {in_place ? AT_GRAD_IN(0) : AT_TEMP, DNNL_ARG_DIFF_SRC});
    TRY(plan_weights(plan, step, WEIGHT, plain));
    return in_place ? plan_grad_in(plan, step, 0) : unflatten(plan);
}

static Status linear_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const LinearArgs *args = &desc->layer->args.linear;
    Shape in = desc->in[0].shape;
    int64_t features = in.c * in.h * in.w;
    const int64_t weight[] = {desc->out.shape.c, features};
    MemDesc plain = md_plain(2, weight);
    DType type = plan_type(plan);
    Product product = {.src = md_typed(md_plain(2, (int64_t[]){in.n, features}), type),
                       .dst = md_typed(md_plain(2, (int64_t[]){in.n, desc->out.shape.c}), type),
                       .weights = md_typed(md_any(2, weight), type),
                       .bias = md_plain(1, weight),
                       .has_bias = args->bias,
                       .relu = desc->relu};
    dnnl_primitive_t forward;
    Operand src;
    TRY(flatten(plan, &src));
    plan->base.backward_reads_in = src.kind == OPERAND_IN ? READS_IN(0) : 0;
    plan->base.backward_reads_out = desc->relu;
    TRY(primitive_linear_forward(plan_engine(plan), &product, &forward));
    Step *step = PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {src, DNNL_ARG_SRC},
                                {AT_PARAM(WEIGHT), DNNL_ARG_WEIGHTS}, {AT_OUT, DNNL_ARG_DST},
                                {args->bias ? AT_PARAM(BIAS) : AT_NOTHING, DNNL_ARG_BIAS});
    TRY(plan_weights(plan, step, WEIGHT, &plain));
    if (!desc->training)
        return ST_OK;
    product.weights = md_typed(plain, type);
    return linear_backward(plan, &product, forward, src, &plain);
}

CPU_OP(linear);
