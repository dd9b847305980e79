/* cpu/pad_channels: zeros, the input's channels, zeros. */
#include "channels.h"

/* Where the input's channels stand in the output. */
static Channels place(const OpDesc *desc) {
    int64_t in = desc->in[0].shape.c, out = desc->out.shape.c;
    return channels_of(&desc->out, (out - in) / 2, in);
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Channels from = channels_of(&desc->in[0], 0, desc->in[0].shape.c), to = place(desc);
    int64_t behind = to.first + to.count;
    Channels zeros[] = {channels_of(&desc->out, 0, to.first),
                        channels_of(&desc->out, behind, desc->out.shape.c - behind)};
    for (int i = 0; to.first > 0 && i < 2; i++)
        channels_clear(&zeros[i], call->at[1]);
    channels_copy(&from, call->at[0], &to, call->at[1], false);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Channels from = place(desc), to = channels_of(&desc->in[0], 0, desc->in[0].shape.c);
    channels_copy(&from, call->at[0], &to, call->at[1], desc->grad_in[0] == GRAD_ADD);
    return ST_OK;
}

static Status pad_channels_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(pad_channels);
