/* ref/silu: y = x s, s = 1 / (1 + exp(-x)); dy / dx = s (1 + x (1 - s)). */
#include <math.h>

#include "pointwise.h"

static Status silu_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_silu), desc, 0, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

static double value(double x, const Layer *layer) {
    (void)layer;
    return x / (1 + exp(-x));
}

static double slope(double x, const Layer *layer) {
    (void)layer;
    double s = 1 / (1 + exp(-x));
    return s * (1 + x * (1 - s));
}

static Status silu_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_forward(bound, value);
}

static Status silu_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_backward(bound, slope);
}

const Op REF(op_silu) = {
    .plan = silu_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = silu_forward,
    .backward = silu_backward,
};
