/* ref/sigmoid: y = 1 / (1 + exp(-x)); dy / dx = y (1 - y). */
#include <math.h>

#include "pointwise.h"

static Status sigmoid_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_sigmoid), desc, 0, plan));
    (*plan)->backward_reads_out = true;
    return ST_OK;
}

static double value(double x, const Layer *layer) {
    (void)layer;
    return 1 / (1 + exp(-x));
}

static double slope(double y, const Layer *layer) {
    (void)layer;
    return y * (1 - y);
}

static Status sigmoid_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_forward(bound, value);
}

static Status sigmoid_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_backward(bound, slope);
}

const Op REF(op_sigmoid) = {
    .plan = sigmoid_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
};
