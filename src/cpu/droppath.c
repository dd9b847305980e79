/* cpu/droppath: y = x / (1 - rate) of images that are kept, 0 of others; a copy outside training.
 * An image lies together in every layout. Backward draws again: a few numbers a batch. */
#include "lockstep/dropout.h"
#include "plan.h"
#include "rows.h"
#include "span.h"

SPAN_FN void scale_span(bool half, size_t n, float scale, const void *x, bool add, void *y,
                        int64_t k) {
    Span value = span_load(half, n, x, k);
    for (int i = 0; i < SPAN; i++)
        value.at[i] = value.at[i] * scale;
    span_store(half, n, y, k, value, add);
}

CLONES static void scale_image(DType type, int64_t count, float scale, const void *x, bool add,
                               void *y) {
    EACH_SPAN(type, count, scale_span(half, n, scale, x, add, y, k));
}

/* y = factor x, or y += factor x, the factor that of the image in this lane and step. */
static Status apply(const StepCall *call, bool add) {
    const OpDesc *desc = &call->plan->base.desc;
    const LaneRun *run = call->run;
    DType type = plan_type(call->plan);
    double rate = desc->layer->args.dropout.rate;
    int64_t images = desc->out.shape.n, count = shape_count(desc->out.shape) / images;
    DropoutKey key = droppath_key(run->seed, run->step, run->lane, desc->index, rate);
    RngBlock words = {{0}};
    for (int64_t image = 0; image < images; image++) {
        const void *x = row_at(type, call->at[0], image * count);
        void *y = row_at(type, call->at[1], image * count);
        if (image % 4 == 0)
            words = dropout_block(key, image / 4);
        if (dropout_keeps(key, words.word[image % 4]))
            scale_image(type, count, (float)dropout_scale(rate), x, add, y);
        else if (!add)
            memset(y, 0, (size_t)count * dtype_size(type));
    }
    return ST_OK;
}

static Status copy(const StepCall *call) {
    Shape shape = call->plan->base.desc.out.shape;
    memcpy(call->at[1], call->at[0],
           (size_t)shape_count(shape) * dtype_size(plan_type(call->plan)));
    return ST_OK;
}

static Status forward(const StepCall *call) {
    return apply(call, false);
}

static Status backward(const StepCall *call) {
    return apply(call, call->plan->base.desc.grad_in[0] == GRAD_ADD);
}

static Status droppath_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LOOP_STEP(plan, PASS_FORWARD, desc->training ? forward : copy, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(droppath);
