/* ref/droppath: y = x / (1 - rate) of images that are kept, 0 of others; the identity outside
 * training. Backward draws again. */
#include "lockstep/dropout.h"
#include "ref.h"

static Status droppath_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_droppath), desc, 0, plan);
}

/* y = factor x, the factor that of the image in this lane and step. */
static void droppath_apply(const OpDesc *desc, const LaneRun *run, GradMode mode, const real *x,
                           real *y) {
    Shape s = desc->out.shape;
    double rate = desc->layer->args.dropout.rate;
    DropoutKey key = droppath_key(run->seed, run->step, run->lane, desc->index, rate);
    real scale = (real)dropout_scale(rate);
    for (int64_t n = 0; n < s.n; n++) {
        bool keep = dropout_keeps(key, dropout_block(key, n / 4).word[n % 4]);
        for (int64_t i = ref_at(s, n, 0, 0, 0); i < ref_at(s, n + 1, 0, 0, 0); i++)
            ref_put(mode, &y[i], keep ? x[i] * scale : 0);
    }
}

static Status droppath_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    const OpDesc *desc = &bound->plan->desc;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    if (desc->training) {
        droppath_apply(desc, run, GRAD_ASSIGN, x, y);
        return ST_OK;
    }
    for (int64_t i = 0; i < shape_count(desc->out.shape); i++)
        y[i] = x[i];
    return ST_OK;
}

static Status droppath_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    const OpDesc *desc = &bound->plan->desc;
    if (desc->grad_in[0] != GRAD_NONE)
        droppath_apply(desc, run, desc->grad_in[0], bound->memory.grad_out.data,
                       bound->memory.grad_in[0].data);
    return ST_OK;
}

const Op REF(op_droppath) = {
    .plan = droppath_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = droppath_forward,
    .backward = droppath_backward,
};
