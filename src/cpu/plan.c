/* cpu/plan: see plan.h. */
#include "plan.h"

dnnl_engine_t plan_engine(const StepPlan *plan) {
    return ((const CpuDevice *)plan->device)->engine;
}

DType plan_type(const StepPlan *plan) {
    return ((const CpuDevice *)plan->device)->activation;
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
    if (plan->base.desc.grad_in[input] != GRAD_ADD)
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
