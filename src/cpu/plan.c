/* cpu/plan: see plan.h. */
#include "plan.h"

#include <string.h>

dnnl_engine_t plan_engine(const StepPlan *plan) {
    return ((const CpuDevice *)plan->device)->engine;
}

bool plan_winograd(const StepPlan *plan, bool fits, bool pays) {
    ConvAlgorithm asked = ((const CpuDevice *)plan->device)->convolutions;
    return fits && (asked == CONV_BY_RULE ? pays : asked == CONV_WINOGRAD);
}

DType plan_type(const StepPlan *plan) {
    return ((const CpuDevice *)plan->device)->activation;
}

bool plan_vectors(const StepPlan *plan) {
    return ((const CpuDevice *)plan->device)->bf16_vectors;
}

MemDesc plan_md_in(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    return md_activation(plan_type(plan), desc->in[0].shape,
                         rule_layout_beside(&desc->in[0], desc->out.layout));
}

MemDesc plan_md_out(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    return md_activation(plan_type(plan), desc->out.shape,
                         rule_layout_beside(&desc->out, desc->in[0].layout));
}

Status plan_primitives(const StepPlan *plan, MakePrimitives make, DType *type,
                       dnnl_primitive_t made[PRIMITIVES_MAX]) {
    const DType types[] = {plan_type(plan), DT_F32};
    Status status = ST_OK;
    for (int t = 0; t < 2; t++) {
        bool generic = false;
        *type = types[t];
        memset(made, 0, PRIMITIVES_MAX * sizeof *made);
        status = make(plan, *type, made);
        for (int i = 0; i < PRIMITIVES_MAX && made[i]; i++)
            generic = generic || primitive_is_generic(made[i]);
        if (status == ST_OK && (!generic || *type == DT_F32))
            return ST_OK;
        for (int i = 0; i < PRIMITIVES_MAX; i++)
            primitive_free(made[i]);
        TRY(status);
    }
    return status;
}

/* Room in `saved` for what `arg` is in fp32, which it is redirected to, and the step before that
 * brings it there, if the primitive reads it. *back: the arg to copy the room to behind the step.
 */
static Status widen(StepPlan *plan, Pass pass, const MemDesc *form, Arg *arg, Arg *back) {
    MemDesc wide = md_typed(*form, DT_F32);
    Operand room = steps_saved(plan, md_bytes(&wide)), from = arg->operand;
    bool written = arg->id == (pass == PASS_FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC);
    dnnl_primitive_t copy;
    arg->operand = room;
    if (written) {
        *back = (Arg){from, arg->id};
        return ST_OK;
    }
    TRY(primitive_reorder(plan_engine(plan), form, &wide, false, &copy));
    PRIMITIVE_STEP(plan, pass, copy, {from, DNNL_ARG_FROM}, {room, DNNL_ARG_TO});
    return ST_OK;
}

/* The copy of fp32 at `room` to the output or to the gradient of an input. */
static Status narrow(StepPlan *plan, Pass pass, const MemDesc *form, Operand room, Operand to) {
    MemDesc wide = md_typed(*form, DT_F32);
    bool add = to.kind == OPERAND_GRAD_IN && plan->base.desc.grad_in[to.index] == GRAD_ADD;
    dnnl_primitive_t copy;
    TRY(primitive_reorder(plan_engine(plan), &wide, form, add, &copy));
    PRIMITIVE_STEP(plan, pass, copy, {room, DNNL_ARG_FROM}, {to, DNNL_ARG_TO});
    return ST_OK;
}

Status plan_activations_step(StepPlan *plan, Pass pass, const Activations *activations,
                             dnnl_primitive_t primitive, const Arg *args, Step **step) {
    Arg redirected[STEP_ARGS_MAX + 1], back = {AT_NOTHING, 0};
    Operand room = AT_NOTHING;
    int n = 0;
    if (activations->type == plan_type(plan)) {
        *step = steps_work(plan, pass, primitive, args);
        return ST_OK;
    }
    for (; args[n].operand.kind != OPERAND_NONE; n++) {
        Arg *arg = &redirected[n];
        bool src = args[n].id == DNNL_ARG_SRC || args[n].id == DNNL_ARG_DIFF_SRC;
        bool dst = args[n].id == DNNL_ARG_DST || args[n].id == DNNL_ARG_DIFF_DST;
        *arg = args[n];
        if (src || dst)
            TRY(widen(plan, pass, src ? &activations->src : &activations->dst, arg, &back));
        if (back.id == arg->id)
            room = arg->operand;
    }
    redirected[n] = (Arg){AT_NOTHING, 0};
    *step = steps_work(plan, pass, primitive, redirected);
    if (back.operand.kind == OPERAND_OUT || back.operand.kind == OPERAND_GRAD_IN)
        TRY(narrow(plan, pass, pass == PASS_FORWARD ? &activations->dst : &activations->src, room,
                   back.operand));
    return ST_OK;
}

/* Where a packing step puts parameter `param` in the form `wanted`; AT_NOTHING if there is none. */
static Operand find_packed(const StepPlan *plan, int param, const MemDesc *wanted) {
    for (int i = 0; i < plan->n_steps[PASS_PACK]; i++) {
        const Step *pack = &plan->step[PASS_PACK][i];
        MemDesc packed = primitive_md(pack->work, DNNL_ARG_TO);
        if (operand_same(pack->arg[0].operand, AT_PARAM(param)) && md_equal(&packed, wanted))
            return pack->arg[1].operand;
    }
    return AT_NOTHING;
}

Status plan_weights(StepPlan *plan, Step *step, int param, const MemDesc *plain) {
    Arg *weights = steps_find(step, AT_PARAM(param));
    MemDesc wanted = primitive_md(step->work, weights->id);
    dnnl_primitive_t pack;
    if (md_equal(&wanted, plain))
        return ST_OK;
    weights->operand = find_packed(plan, param, &wanted);
    if (weights->operand.kind != OPERAND_NONE)
        return ST_OK;
    TRY(primitive_reorder(plan_engine(plan), plain, &wanted, false, &pack));
    weights->operand = steps_packed(plan, md_bytes(&wanted));
    PRIMITIVE_STEP(plan, PASS_PACK, pack, {AT_PARAM(param), DNNL_ARG_FROM},
                   {weights->operand, DNNL_ARG_TO});
    return ST_OK;
}

Status plan_grad_weights(StepPlan *plan, Step *step, int param, const MemDesc *plain) {
    Arg *gradient = steps_find(step, AT_GRAD_PARAM(param));
    MemDesc written = primitive_md(step->work, gradient->id);
    dnnl_primitive_t unpack;
    if (md_equal(&written, plain))
        return ST_OK;
    TRY(primitive_reorder(plan_engine(plan), &written, plain, false, &unpack));
    steps_need_temp(plan, md_bytes(&written));
    gradient->operand = AT_TEMP;
    PRIMITIVE_STEP(plan, PASS_BACKWARD, unpack, {AT_TEMP, DNNL_ARG_FROM},
                   {AT_GRAD_PARAM(param), DNNL_ARG_TO});
    return ST_OK;
}

Status plan_grad_in(StepPlan *plan, Step *step, int input) {
    Arg *gradient = steps_find(step, AT_GRAD_IN(input));
    dnnl_primitive_t add;
    if (plan->base.desc.grad_in[input] != GRAD_ADD || !gradient)
        return ST_OK;
    MemDesc md = primitive_md(step->work, gradient->id);
    TRY(primitive_add(plan_engine(plan), &md, false, &add));
    steps_need_temp(plan, md_bytes(&md));
    gradient->operand = AT_TEMP;
    PRIMITIVE_STEP(plan, PASS_BACKWARD, add, {AT_GRAD_IN(input), DNNL_ARG_SRC_0},
                   {AT_TEMP, DNNL_ARG_SRC_1}, {AT_GRAD_IN(input), DNNL_ARG_DST});
    return ST_OK;
}

Status plan_grad_relu(StepPlan *plan) {
    dnnl_primitive_t mask;
    if (!plan->base.desc.training || !plan->base.desc.relu)
        return ST_OK;
    MemDesc md = plan_md_out(plan);
    TRY(primitive_pointwise_backward(plan_engine(plan), POINTWISE_RELU, 0, &md, &mask));
    PRIMITIVE_STEP(plan, PASS_BACKWARD, mask, {AT_OUT, DNNL_ARG_DST},
                   {AT_GRAD_OUT, DNNL_ARG_DIFF_DST}, {AT_GRAD_OUT, DNNL_ARG_DIFF_SRC});
    return ST_OK;
}
