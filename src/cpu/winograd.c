/* cpu/winograd: see winograd.h. */
#include "winograd.h"

#include "bf16_winograd.h"
#include "clones.h"
#include "f32_winograd.h"

const WinogradPasses *winograd_of(const CpuDevice *device) {
#if FOR_X86
    if (device->bf16_vectors)
        return &bf16_winograd;
    if (device->f32_vectors)
        return &f32_winograd;
#endif
    (void)device;
    return NULL;
}

static const WinogradPasses *winograd(const StepPlan *plan) {
    return winograd_of((const CpuDevice *)plan->device);
}

/* The tiles of the convolution, and those of its transpose: where forward pads by p, output pixels
 * reach the inputs at distance 2 - p before them. */
static Tiles tiles_forward(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    int64_t vector = winograd(plan)->vector;
    return (Tiles){map_of(&desc->in[0], vector), map_of(&desc->out, vector),
                   desc->layer->args.conv.pad};
}

static Tiles tiles_backward(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    int64_t vector = winograd(plan)->vector;
    return (Tiles){map_of(&desc->out, vector), map_of(&desc->in[0], vector),
                   2 - desc->layer->args.conv.pad};
}

static Status pack_forward(const StepCall *call) {
    Tiles tiles = tiles_forward(call->plan);
    winograd(call->plan)->pack(&tiles, call->at[0], false, call->at[1]);
    return ST_OK;
}

static Status pack_backward(const StepCall *call) {
    Tiles tiles = tiles_backward(call->plan);
    winograd(call->plan)->pack(&tiles, call->at[0], true, call->at[1]);
    return ST_OK;
}

/* Operands: input, packed weights, bias or nothing, output, workspace. */
static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Tiles tiles = tiles_forward(call->plan);
    Finish finish = {.relu = desc->relu};
    int at = 2;
    if (desc->layer->args.conv.bias)
        finish.bias = call->at[at++];
    winograd(call->plan)
        ->convolve(&tiles, call->at[0], call->at[1], &finish, call->at[at], call->at[at + 1]);
    return ST_OK;
}

static Status backward_input(const StepCall *call) {
    Tiles tiles = tiles_backward(call->plan);
    Finish finish = {.add = call->plan->base.desc.grad_in[0] == GRAD_ADD};
    winograd(call->plan)
        ->convolve(&tiles, call->at[0], call->at[1], &finish, call->at[2], call->at[3]);
    return ST_OK;
}

static Status backward_weights(const StepCall *call) {
    Tiles tiles = tiles_forward(call->plan);
    winograd(call->plan)->grad_weights(&tiles, call->at[0], call->at[1], call->at[2], call->at[3]);
    return ST_OK;
}

/* Before all else of backward. Operands: output, its gradient, the bias's gradient or nothing. */
static Status backward_output(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Tiles tiles = tiles_forward(call->plan);
    winograd(call->plan)
        ->mask_and_sum(&tiles.out, desc->relu ? call->at[0] : NULL, call->at[1],
                       desc->layer->args.conv.bias ? call->at[2] : NULL);
    return ST_OK;
}

/* Whether the algorithm can, and whether it pays. */
static void judge(const StepPlan *plan, bool *fits, bool *pays) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    Shape in = desc->in[0].shape, out = desc->out.shape;
    if (plan_type(plan) == DT_BF16) {
        *fits = rule_winograd_bf16_fits(args->kernel, args->stride, args->pad);
        *pays = rule_winograd_bf16(in, out, args->kernel, args->stride, args->pad);
    } else {
        *fits = rule_winograd_f32_fits(in, out, args->kernel, args->stride, args->pad);
        *pays = rule_winograd_f32(in, out, args->kernel, args->stride, args->pad);
    }
}

bool winograd_takes(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const WinogradPasses *own = winograd(plan);
    bool fits, pays;
    if (!own || desc->layer->args.conv.groups != 1 || !map_fits(&desc->in[0], own->vector) ||
        !map_fits(&desc->out, own->vector))
        return false;
    judge(plan, &fits, &pays);
    return plan_winograd(plan, fits, pays);
}

static void backward_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const WinogradPasses *own = winograd(plan);
    Tiles tiles = tiles_forward(plan), turned = tiles_backward(plan);
    bool bias = desc->layer->args.conv.bias;
    if (bias || desc->relu) {
        Step *step = LOOP_STEP(plan, PASS_BACKWARD, backward_output, AT_OUT, AT_GRAD_OUT);
        if (bias)
            steps_argument(plan, step, (Arg){AT_GRAD_PARAM(BIAS), 0});
    }
    LOOP_STEP(plan, PASS_BACKWARD, backward_weights, AT_IN(0), AT_GRAD_OUT, AT_GRAD_PARAM(WEIGHT),
              AT_WORKSPACE);
    steps_need_workspace(plan, own->grad_scratch(&tiles));
    if (desc->grad_in[0] == GRAD_NONE)
        return;
    Operand packed = steps_packed(plan, own->weights_bytes(&turned));
    LOOP_STEP(plan, PASS_PACK, pack_backward, AT_PARAM(WEIGHT), packed);
    LOOP_STEP(plan, PASS_BACKWARD, backward_input, AT_GRAD_OUT, packed, AT_GRAD_IN(0),
              AT_WORKSPACE);
    steps_need_workspace(plan, own->conv_scratch(&turned));
}

Status winograd_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const WinogradPasses *own = winograd(plan);
    Tiles tiles = tiles_forward(plan);
    Operand packed = steps_packed(plan, own->weights_bytes(&tiles));
    plan->base.arithmetic = own->name;
    plan->base.backward_reads_in = READS_IN(0);
    plan->base.backward_reads_out = desc->relu;
    LOOP_STEP(plan, PASS_PACK, pack_forward, AT_PARAM(WEIGHT), packed);
    if (desc->layer->args.conv.bias)
        LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), packed, AT_PARAM(BIAS), AT_OUT,
                  AT_WORKSPACE);
    else
        LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), packed, AT_OUT, AT_WORKSPACE);
    steps_need_workspace(plan, own->conv_scratch(&tiles));
    if (desc->training)
        backward_steps(plan);
    return ST_OK;
}
