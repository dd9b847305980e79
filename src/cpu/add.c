/* cpu/add: the sum of two inputs of one shape, a ReLU fused behind it. Both get the gradient of the
 * output: assigned by a copy, added in place. */
#include "plan.h"

static Status add_gradient(StepPlan *plan, const MemDesc *md, int input) {
    dnnl_primitive_t step;
    if (plan->base.desc.grad_in[input] == GRAD_ASSIGN) {
        TRY(primitive_reorder(plan_engine(plan), md, md, false, &step));
        PRIMITIVE_STEP(plan, PASS_BACKWARD, step, {AT_GRAD_OUT, DNNL_ARG_FROM},
                       {AT_GRAD_IN(input), DNNL_ARG_TO});
    } else if (plan->base.desc.grad_in[input] == GRAD_ADD) {
        TRY(primitive_add(plan_engine(plan), md, false, &step));
        PRIMITIVE_STEP(plan, PASS_BACKWARD, step, {AT_GRAD_IN(input), DNNL_ARG_SRC_0},
                       {AT_GRAD_OUT, DNNL_ARG_SRC_1}, {AT_GRAD_IN(input), DNNL_ARG_DST});
    }
    return ST_OK;
}

static Status add_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    MemDesc md = plan_md_out(plan);
    dnnl_primitive_t forward;
    TRY(primitive_add(plan_engine(plan), &md, desc->relu, &forward));
    PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC_0},
                   {AT_IN(1), DNNL_ARG_SRC_1}, {AT_OUT, DNNL_ARG_DST});
    plan->base.backward_reads_out = desc->relu;
    TRY(plan_grad_relu(plan));
    for (int input = 0; desc->training && input < 2; input++)
        TRY(add_gradient(plan, &md, input));
    return ST_OK;
}

CPU_OP(add);
