/* ref/leaky_relu: y = x > 0 ? x : slope x. The output has the sign of the input. */
#include "pointwise.h"

static Status leaky_relu_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_leaky_relu), desc, 0, plan));
    (*plan)->backward_reads_out = true;
    return ST_OK;
}

static double value(double x, const Layer *layer) {
    return x > 0 ? x : layer->args.leaky_relu.slope * x;
}

static double slope(double y, const Layer *layer) {
    return y > 0 ? 1 : layer->args.leaky_relu.slope;
}

static Status leaky_relu_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_forward(bound, value);
}

static Status leaky_relu_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    return pointwise_backward(bound, slope);
}

const Op REF(op_leaky_relu) = {
    .plan = leaky_relu_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = leaky_relu_forward,
    .backward = leaky_relu_backward,
};
