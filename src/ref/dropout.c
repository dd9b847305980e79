/* ref/dropout: y = x / (1 - rate) where the element is kept, 0 where not; the identity outside
 * training. The mask is drawn again in backward instead of being saved. */
#include "lockstep/dropout.h"
#include "ref.h"

static Status dropout_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_dropout), desc, 0, plan);
}

/* Applies the mask of this lane and step: y = factor x element by element. */
static void dropout_apply(const OpDesc *desc, const LaneRun *run, GradMode mode, const real *x,
                          real *y) {
    double rate = desc->layer->args.dropout.rate;
    DropoutKey key = dropout_key(run->seed, run->step, run->lane, desc->index, rate);
    const uint8_t *given = lane_mask(run, desc->ordinal);
    real scale = (real)dropout_scale(rate);
    for (int64_t i = 0; i < shape_count(desc->out.shape); i++) {
        bool keep =
            given ? given[i] != 0 : dropout_keeps(key, dropout_block(key, i / 4).word[i % 4]);
        ref_put(mode, &y[i], keep ? x[i] * scale : 0);
    }
}

static Status dropout_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    const OpDesc *desc = &bound->plan->desc;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    if (desc->training) {
        dropout_apply(desc, run, GRAD_ASSIGN, x, y);
        return ST_OK;
    }
    for (int64_t i = 0; i < shape_count(desc->out.shape); i++)
        y[i] = x[i];
    return ST_OK;
}

static Status dropout_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    const OpDesc *desc = &bound->plan->desc;
    if (desc->grad_in[0] != GRAD_NONE)
        dropout_apply(desc, run, desc->grad_in[0], bound->memory.grad_out.data,
                      bound->memory.grad_in[0].data);
    return ST_OK;
}

const Op REF(op_dropout) = {
    .plan = dropout_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = dropout_forward,
    .backward = dropout_backward,
};
