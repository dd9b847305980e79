/* ref/relu6: y = min(max(x, 0), 6); the slope at 0 and at 6 is 0, as PyTorch's. */
#include "pointwise.h"

static Status relu6_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_relu6), desc, 0, plan));
    (*plan)->backward_reads_out = true;
    return ST_OK;
}

static double value(double x, const Layer *layer) {
    (void)layer;
    return x <= 0 ? 0 : x >= 6 ? 6 : x; /* NaN stays NaN */
}

static double slope(double y, const Layer *layer) {
    (void)layer;
    return y <= 0 || y >= 6 ? 0 : 1;
}

static Status relu6_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_forward(bound, value);
}

static Status relu6_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_backward(bound, slope);
}

const Op REF(op_relu6) = {
    .plan = relu6_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = relu6_forward,
    .backward = relu6_backward,
};
