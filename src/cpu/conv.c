/* cpu/conv: convolution: by code of our own where winograd_takes or, in bfloat16, image_conv_takes
 * says so, and its weights' gradient in fp32 where f32_image_grad_takes or f32_rows_grad_takes
 * does; else oneDNN's, by Winograd where rule_winograd says so, and as a linear layer where
 * rule_places_are_rows does. There the bias and a fused ReLU are part of the forward primitive;
 * backward masks grad_out by the ReLU first. The weights' gradient comes first of the two, since
 * its temp is free again when the input's needs it. */
#include "f32_image_grad.h"
#include "f32_rows_grad.h"
#include "image_conv.h"
#include "plan.h"
#include "winograd.h"

enum { FORWARD, WEIGHTS, DATA };

static bool has_rows(const StepPlan *plan, DType type) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    return type == DT_F32 &&
           rule_places_are_rows(desc->in[0].layout, args->kernel, args->stride, args->pad,
                                args->groups, ((const CpuDevice *)plan->device)->wide);
}

static bool own_rows_grad(const StepPlan *plan) {
    return has_rows(plan, plan_type(plan)) && f32_rows_grad_takes(plan);
}

/* The channels of each place as a row. */
static MemDesc rows_of(Shape shape) {
    return md_plain(2, (int64_t[]){shape.n * shape.h * shape.w, shape.c});
}

/* With the groups' dimension first, where there are several; of rows without the kernel's: the same
 * memory. */
static MemDesc plain_weights(const StepPlan *plan, bool rows) {
    const Layer *layer = plan->base.desc.layer;
    int64_t groups = layer->args.conv.groups;
    const int64_t *dim = layer->param[WEIGHT].dim;
    if (rows)
        return md_plain(2, dim);
    if (groups == 1)
        return md_plain(4, dim);
    return md_plain(5, (int64_t[]){groups, dim[0] / groups, dim[1], dim[2], dim[3]});
}

static Product product_of(const StepPlan *plan, DType type, bool rows) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    MemDesc plain = plain_weights(plan, rows);
    Shape in = desc->in[0].shape, out = desc->out.shape;
    bool wide = ((const CpuDevice *)plan->device)->wide;
    bool fits = rule_winograd_fits(in, out, args->kernel, args->stride, args->pad, wide);
    bool pays = rule_winograd(in, out, args->kernel, args->stride, args->pad, wide);
    return (Product){.src = rows ? rows_of(in) : md_typed(plan_md_in(plan), type),
                     .dst = rows ? rows_of(out) : md_typed(plan_md_out(plan), type),
                     .weights = md_typed(md_any(plain.ndim, plain.dim), type),
                     .bias = md_plain(1, &args->channels),
                     .has_bias = args->bias,
                     .relu = desc->relu,
                     .stride = args->stride,
                     .pad = args->pad,
                     .winograd =
                         type == DT_F32 && args->groups == 1 && plan_winograd(plan, fits, pays)};
}

static Status make_rows(const StepPlan *plan, dnnl_primitive_t made[PRIMITIVES_MAX]) {
    const OpDesc *desc = &plan->base.desc;
    dnnl_engine_t engine = plan_engine(plan);
    Product product = product_of(plan, DT_F32, true);
    TRY(primitive_linear_forward(engine, &product, &made[FORWARD]));
    if (!desc->training)
        return ST_OK;
    product.weights = plain_weights(plan, true); /* as in linear.c */
    if (!own_rows_grad(plan))
        TRY(primitive_linear_backward_weights(engine, &product, made[FORWARD], &made[WEIGHTS]));
    if (desc->grad_in[0] == GRAD_NONE)
        return ST_OK;
    return primitive_linear_backward_data(engine, &product, made[FORWARD], &made[DATA]);
}

static Status make(const StepPlan *plan, DType type, dnnl_primitive_t made[PRIMITIVES_MAX]) {
    const OpDesc *desc = &plan->base.desc;
    dnnl_engine_t engine = plan_engine(plan);
    if (has_rows(plan, type))
        return make_rows(plan, made);
    Product product = product_of(plan, type, false);
    TRY(primitive_conv_forward(engine, &product, &made[FORWARD]));
    if (!desc->training || image_conv_takes(plan))
        return ST_OK;
    if (!f32_image_grad_takes(plan))
        TRY(primitive_conv_backward_weights(engine, &product, made[FORWARD], &made[WEIGHTS]));
    if (desc->grad_in[0] == GRAD_NONE)
        return ST_OK;
    return primitive_conv_backward_data(engine, &product, made[FORWARD], &made[DATA]);
}

static Status backward_weights(StepPlan *plan, const Activations *activations,
                               dnnl_primitive_t weights, const MemDesc *plain) {
    bool bias = plan->base.desc.layer->args.conv.bias;
    Step *step;
    TRY(ACTIVATIONS_STEP(plan, PASS_BACKWARD, activations, weights, &step, {AT_IN(0), DNNL_ARG_SRC},
                         {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                         {AT_GRAD_PARAM(WEIGHT), DNNL_ARG_DIFF_WEIGHTS},
                         {bias ? AT_GRAD_PARAM(BIAS) : AT_NOTHING, DNNL_ARG_DIFF_BIAS}));
    return plan_grad_weights(plan, step, WEIGHT, plain);
}

static Status conv_backward(StepPlan *plan, const Activations *activations,
                            const dnnl_primitive_t *made) {
    MemDesc plain = plain_weights(plan, has_rows(plan, activations->type));
    Step *step;
    bool to_input = plan->base.desc.grad_in[0] != GRAD_NONE, image = f32_image_grad_takes(plan);
    if (to_input || !image)
        TRY(plan_grad_relu(plan));
    if (image)
        f32_image_grad_step(plan);
    else if (own_rows_grad(plan))
        f32_rows_grad_step(plan);
    else
        TRY(backward_weights(plan, activations, made[WEIGHTS], &plain));
    if (!to_input)
        return ST_OK;
    TRY(ACTIVATIONS_STEP(plan, PASS_BACKWARD, activations, made[DATA], &step,
                         {AT_GRAD_OUT, DNNL_ARG_DIFF_DST}, {AT_PARAM(WEIGHT), DNNL_ARG_WEIGHTS},
                         {AT_GRAD_IN(0), DNNL_ARG_DIFF_SRC}));
    TRY(plan_weights(plan, step, WEIGHT, &plain));
    return plan_grad_in(plan, step, 0);
}

static Status conv_forward(StepPlan *plan, const Activations *activations,
                           dnnl_primitive_t forward) {
    MemDesc plain = plain_weights(plan, has_rows(plan, activations->type));
    bool bias = plan->base.desc.layer->args.conv.bias;
    Step *step;
    plan->base.arithmetic = primitive_name(forward);
    TRY(ACTIVATIONS_STEP(plan, PASS_FORWARD, activations, forward, &step, {AT_IN(0), DNNL_ARG_SRC},
                         {AT_PARAM(WEIGHT), DNNL_ARG_WEIGHTS}, {AT_OUT, DNNL_ARG_DST},
                         {bias ? AT_PARAM(BIAS) : AT_NOTHING, DNNL_ARG_BIAS}));
    return plan_weights(plan, step, WEIGHT, &plain);
}

static Status conv_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Activations activations = {plan_md_in(plan), plan_md_out(plan), plan_type(plan)};
    dnnl_primitive_t made[PRIMITIVES_MAX] = {NULL};
    if (winograd_takes(plan))
        return winograd_steps(plan);
    plan->base.backward_reads_in = READS_IN(0);
    plan->base.backward_reads_out = desc->relu;
    if (image_conv_takes_forward(plan)) {
        image_conv_forward(plan);
    } else {
        TRY(plan_primitives(plan, make, &activations.type, made));
        TRY(conv_forward(plan, &activations, made[FORWARD]));
    }
    if (!desc->training)
        return ST_OK;
    if (image_conv_takes(plan)) {
        image_conv_backward(plan);
        return ST_OK;
    }
    return conv_backward(plan, &activations, made);
}

CPU_OP(conv);
