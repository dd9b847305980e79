/* ref/pointwise: what element-wise functions of one input share. */
#ifndef REF_POINTWISE_H
#define REF_POINTWISE_H

#include "ref.h"

/* y = value(x). */
typedef double PointwiseValue(double x, const Layer *layer);

/* dy / dx at `at`: the input where the plan says backward_reads_in, else the output. */
typedef double PointwiseSlope(double at, const Layer *layer);

static inline Status pointwise_forward(const OpBound *bound, PointwiseValue *value) {
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        y[i] = (real)value(x[i], bound->plan->desc.layer);
    return ST_OK;
}

static inline Status pointwise_backward(const OpBound *bound, PointwiseSlope *slope) {
    const OpPlan *plan = bound->plan;
    GradMode mode = plan->desc.grad_in[0];
    const real *at = plan->backward_reads_in ? bound->memory.in[0].data : bound->memory.out.data;
    const real *grad_y = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    if (mode == GRAD_NONE)
        return ST_OK;
    for (int64_t i = 0; i < shape_count(bound->memory.out.shape); i++)
        ref_put(mode, &grad_x[i], grad_y[i] * slope(at[i], plan->desc.layer));
    return ST_OK;
}

#endif
