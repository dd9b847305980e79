/* cpu/shuffle: channels of all groups in turn. Backward deals them out again into C / groups
 * groups, which is where they were. */
#include "channels.h"
#include "rows.h"

/* y[i groups + g] = x[g C / groups + i], or += . An image at a time, so that a map's rows, which
 * hold several channels, stay near. */
static void shuffle(const Tensor *in, const void *x, int64_t groups, const Tensor *out, void *y,
                    bool add) {
    Shape s = out->shape;
    int64_t each = s.c / groups;
    for (int64_t n = 0; n < s.n; n++) {
        Tensor from = *in, to = *out;
        from.shape.n = to.shape.n = 1;
        const void *x_image = row_at(in->dtype, x, n * s.c * s.h * s.w);
        void *y_image = row_at(out->dtype, y, n * s.c * s.h * s.w);
        for (int64_t c = 0; c < s.c; c++) {
            Channels one = channels_of(&from, c % groups * each + c / groups, 1),
                     there = channels_of(&to, c, 1);
            channels_copy(&one, x_image, &there, y_image, add);
        }
    }
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    shuffle(&desc->in[0], call->at[0], desc->layer->args.shuffle.groups, &desc->out, call->at[1],
            false);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    shuffle(&desc->out, call->at[0], desc->out.shape.c / desc->layer->args.shuffle.groups,
            &desc->in[0], call->at[1], desc->grad_in[0] == GRAD_ADD);
    return ST_OK;
}

static Status shuffle_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(shuffle);
