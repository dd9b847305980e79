/* ref/tanh: y = tanh(x); dy / dx = 1 - y^2. */
#include <math.h>

#include "pointwise.h"

static Status tanh_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_tanh), desc, 0, plan));
    (*plan)->backward_reads_out = true;
    return ST_OK;
}

static double value(double x, const Layer *layer) {
    (void)layer;
    return tanh(x);
}

static double slope(double y, const Layer *layer) {
    (void)layer;
    return 1 - y * y;
}

static Status tanh_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_forward(bound, value);
}

static Status tanh_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_backward(bound, slope);
}

const Op REF(op_tanh) = {
    .plan = tanh_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = tanh_forward,
    .backward = tanh_backward,
};
