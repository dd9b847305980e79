/* cpu/add: the sum of two inputs of one shape, a ReLU fused behind it. Both get the gradient of the
 * output: assigned by a copy, added in place. */
#include "plan.h"

static Status add_gradient(CpuPlan *plan, const MemDesc *md, int input) {
    Place place = input == 0 ? AT_GRAD_IN : AT_GRAD_IN2;
    dnnl_engine_t engine = plan->device->engine;
    if (plan->base.desc.grad_in[input] == GRAD_ASSIGN) {
        Step *copy =
            STEP(plan, PHASE_BACKWARD, {AT_GRAD_OUT, DNNL_ARG_FROM, 0}, {place, DNNL_ARG_TO, 0});
        return primitive_reorder(engine, md, md, false, &copy->primitive);
    }
    if (plan->base.desc.grad_in[input] == GRAD_ADD) {
        Step *add = STEP(plan, PHASE_BACKWARD, {place, DNNL_ARG_SRC_0, 0},
                         {AT_GRAD_OUT, DNNL_ARG_SRC_1, 0}, {place, DNNL_ARG_DST, 0});
        return primitive_add(engine, md, false, &add->primitive);
    }
    return ST_OK;
}

static Status add_steps(CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    MemDesc md = plan_md_out(plan);
    Step *forward = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC_0, 0},
                         {AT_IN2, DNNL_ARG_SRC_1, 0}, {AT_OUT, DNNL_ARG_DST, 0});
    TRY(primitive_add(plan->device->engine, &md, desc->relu, &forward->primitive));
    plan->base.backward_reads_out = desc->relu;
    TRY(plan_grad_relu(plan));
    for (int input = 0; desc->training && input < 2; input++)
        TRY(add_gradient(plan, &md, input));
    return ST_OK;
}

CPU_OP(add);
