/* ref/conv: y[n,o,i,j] = bias[o] + sum over c, ky, kx of weight[o,c,ky,kx]
 *                                  x[n, first + c, i stride - pad + ky, j stride - pad + kx],
 * c over the channels of one group, `first` the first of o's group. */
#include "ref.h"

/* The weight's O, I/groups, KH, KW. */
static Shape kernel_of(const OpBound *bound) {
    const ConvArgs *args = &bound->plan->desc.layer->args.conv;
    return (Shape){args->channels, bound->memory.in[0].shape.c / args->groups, args->kernel,
                   args->kernel};
}

/* The first input channel that output o reads. */
static int64_t first_input(const OpBound *bound, int64_t o) {
    const ConvArgs *args = &bound->plan->desc.layer->args.conv;
    return o / (args->channels / args->groups) * kernel_of(bound).c;
}

static Status conv_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_conv), desc, 0, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

static Status conv_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const ConvArgs *args = &bound->plan->desc.layer->args.conv;
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    Shape kernel = kernel_of(bound);
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data;
    const real *bias = args->bias ? bound->memory.param[1].data : NULL;
    real *y = bound->memory.out.data;

    for (int64_t n = 0; n < out.n; n++)
        for (int64_t o = 0; o < out.c; o++)
            for (int64_t i = 0; i < out.h; i++)
                for (int64_t j = 0; j < out.w; j++) {
                    double sum = bias ? bias[o] : 0;
                    for (int64_t c = 0; c < kernel.c; c++)
                        for (int64_t ky = 0; ky < kernel.h; ky++)
                            for (int64_t kx = 0; kx < kernel.w; kx++) {
                                int64_t h = i * args->stride - args->pad + ky;
                                int64_t w = j * args->stride - args->pad + kx;
                                if (h < 0 || h >= in.h || w < 0 || w >= in.w)
                                    continue;
                                sum += (double)weight[ref_at(kernel, o, c, ky, kx)] *
                                       x[ref_at(in, n, first_input(bound, o) + c, h, w)];
                            }
                    y[ref_at(out, n, o, i, j)] = ref_result(bound, sum);
                }
    return ST_OK;
}

/* The gradient of x[n, c, h, w]: what each output that read it says. */
static double conv_grad_x(const OpBound *bound, Shape kernel, int64_t n, int64_t c, int64_t h,
                          int64_t w) {
    const ConvArgs *args = &bound->plan->desc.layer->args.conv;
    const real *weight = bound->memory.param[0].data;
    Shape out = bound->memory.out.shape;
    int64_t outputs = args->channels / args->groups, group = c / kernel.c;
    double sum = 0;
    for (int64_t o = group * outputs; o < (group + 1) * outputs; o++)
        for (int64_t ky = 0; ky < kernel.h; ky++)
            for (int64_t kx = 0; kx < kernel.w; kx++) {
                int64_t i = h + args->pad - ky, j = w + args->pad - kx; /* times stride */
                if (i < 0 || j < 0 || i % args->stride != 0 || j % args->stride != 0)
                    continue;
                i /= args->stride;
                j /= args->stride;
                if (i < out.h && j < out.w)
                    sum += weight[ref_at(kernel, o, c % kernel.c, ky, kx)] *
                           ref_grad(bound, ref_at(out, n, o, i, j));
            }
    return sum;
}

/* The gradient of weight[o, c, ky, kx]: over all places where it was used. */
static double conv_grad_weight(const OpBound *bound, int64_t o, int64_t c, int64_t ky, int64_t kx) {
    const ConvArgs *args = &bound->plan->desc.layer->args.conv;
    const real *x = bound->memory.in[0].data;
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    double sum = 0;
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t i = 0; i < out.h; i++)
            for (int64_t j = 0; j < out.w; j++) {
                int64_t h = i * args->stride - args->pad + ky;
                int64_t w = j * args->stride - args->pad + kx;
                if (h >= 0 && h < in.h && w >= 0 && w < in.w)
                    sum += x[ref_at(in, n, first_input(bound, o) + c, h, w)] *
                           ref_grad(bound, ref_at(out, n, o, i, j));
            }
    return sum;
}

static Status conv_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    const ConvArgs *args = &desc->layer->args.conv;
    Shape in = bound->memory.in[0].shape, out = bound->memory.out.shape;
    Shape kernel = kernel_of(bound);

    real *grad_x = bound->memory.grad_in[0].data;
    if (desc->grad_in[0] != GRAD_NONE)
        for (int64_t n = 0; n < in.n; n++)
            for (int64_t c = 0; c < in.c; c++)
                for (int64_t h = 0; h < in.h; h++)
                    for (int64_t w = 0; w < in.w; w++)
                        ref_put(desc->grad_in[0], &grad_x[ref_at(in, n, c, h, w)],
                                conv_grad_x(bound, kernel, n, c, h, w));

    real *grad_weight = bound->memory.grad_param[0].data;
    for (int64_t o = 0; o < kernel.n; o++)
        for (int64_t c = 0; c < kernel.c; c++)
            for (int64_t ky = 0; ky < kernel.h; ky++)
                for (int64_t kx = 0; kx < kernel.w; kx++)
                    grad_weight[ref_at(kernel, o, c, ky, kx)] =
                        (real)conv_grad_weight(bound, o, c, ky, kx);

    real *grad_bias = args->bias ? bound->memory.grad_param[1].data : NULL;
    for (int64_t o = 0; grad_bias && o < out.c; o++) {
        double sum = 0;
        for (int64_t n = 0; n < out.n; n++)
            for (int64_t i = 0; i < out.h * out.w; i++)
                sum += ref_grad(bound, ref_at(out, n, o, 0, i));
        grad_bias[o] = (real)sum;
    }
    return ST_OK;
}

const Op REF(op_conv) = {
    .plan = conv_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = conv_forward,
    .backward = conv_backward,
};
