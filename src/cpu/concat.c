/* cpu/concat: the channels of all inputs, one behind the other. Copies of rows, by loops of our
 * own: forward and backward are the same then, and gradients are added on the way. */
#include "channels.h"

/* Where the channels of input k stand in the output. */
static Channels place(const OpDesc *desc, int k) {
    int64_t first = 0;
    for (int before = 0; before < k; before++)
        first += desc->in[before].shape.c;
    return channels_of(&desc->out, first, desc->in[k].shape.c);
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    for (int k = 0; k < desc->n_in; k++) {
        Channels from = channels_of(&desc->in[k], 0, desc->in[k].shape.c), to = place(desc, k);
        channels_copy(&from, call->at[k], &to, call->at[desc->n_in], false);
    }
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    int k = call->step->arg[1].operand.index;
    Channels from = place(desc, k), to = channels_of(&desc->in[k], 0, desc->in[k].shape.c);
    channels_copy(&from, call->at[0], &to, call->at[1], desc->grad_in[k] == GRAD_ADD);
    return ST_OK;
}

static Status concat_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Operand operands[LAYER_INPUTS_MAX + 2] = {AT_NOTHING};
    for (int k = 0; k < desc->n_in; k++)
        operands[k] = AT_IN(k);
    operands[desc->n_in] = AT_OUT;
    operands[desc->n_in + 1] = AT_NOTHING;
    steps_call(plan, PASS_FORWARD, forward, operands);
    for (int k = 0; desc->training && k < desc->n_in; k++)
        if (desc->grad_in[k] != GRAD_NONE)
            LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(k));
    return ST_OK;
}

CPU_OP(concat);
