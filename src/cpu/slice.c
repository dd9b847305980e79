/* cpu/slice: some neighbouring channels. */
#include "channels.h"

/* Where the output's channels stand in the input. */
static Channels place(const OpDesc *desc) {
    return channels_of(&desc->in[0], desc->layer->args.slice.first, desc->out.shape.c);
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Channels from = place(desc), to = channels_of(&desc->out, 0, desc->out.shape.c);
    channels_copy(&from, call->at[0], &to, call->at[1], false);
    return ST_OK;
}

/* Channels that are not taken have no gradient. */
static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    bool add = desc->grad_in[0] == GRAD_ADD;
    Channels from = channels_of(&desc->out, 0, desc->out.shape.c), to = place(desc);
    int64_t behind = to.first + to.count, in = desc->in[0].shape.c;
    Channels others[] = {channels_of(&desc->in[0], 0, to.first),
                         channels_of(&desc->in[0], behind, in - behind)};
    for (int i = 0; !add && i < 2; i++)
        if (others[i].count > 0)
            channels_clear(&others[i], call->at[1]);
    channels_copy(&from, call->at[0], &to, call->at[1], add);
    return ST_OK;
}

static Status slice_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(slice);
