/* cuda/mul: the product of two inputs of one shape, or of one with a gate, C x 1 x 1. In each step
 * the operands are two factors and what they give; a gate is the second factor. */
#include "plan.h"

/* How the step's result, an input's gradient, is written. */
static bool adds(const StepCall *call) {
    Operand to = call->step->arg[2].operand;
    return to.kind == OPERAND_GRAD_IN && call->plan->base.desc.grad_in[to.index] == GRAD_ADD;
}

static Status product(const StepCall *call) {
    const StepPlan *plan = call->plan;
    TRY_CUDA(gpu_mul(call->at[2], call->at[0], call->at[1], plan_type(plan), plan_count(plan),
                     adds(call), call_stream(call)));
    return ST_OK;
}

static Status gated(const StepCall *call) {
    const StepPlan *plan = call->plan;
    Shape s = plan->base.desc.out.shape;
    TRY_CUDA(gpu_gate(call->at[2], call->at[0], call->at[1], plan_type(plan), s.n, s.h * s.w, s.c,
                      adds(call), call_stream(call)));
    return ST_OK;
}

static Status gate_gradient(const StepCall *call) {
    const StepPlan *plan = call->plan;
    Shape s = plan->base.desc.out.shape;
    TRY_CUDA(gpu_gate_backward(call->at[2], call->at[0], call->at[1], plan_type(plan), s.n,
                               s.h * s.w, s.c, adds(call), call_stream(call)));
    return ST_OK;
}

static Status mul_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    int gate = layer_mul_gate(desc->layer), second = gate < 0 ? 1 : gate, first = 1 - second;
    StepFn multiply = gate < 0 ? product : gated;
    LAUNCH_STEP(plan, PASS_FORWARD, multiply, AT_IN(first), AT_IN(second), AT_OUT);
    for (int k = 0; desc->training && k < 2; k++) {
        StepFn slope = k == gate ? gate_gradient : multiply;
        if (desc->grad_in[k] == GRAD_NONE)
            continue;
        plan->base.backward_reads_in |= READS_IN(1 - k);
        LAUNCH_STEP(plan, PASS_BACKWARD, slope, AT_GRAD_OUT, AT_IN(1 - k), AT_GRAD_IN(k));
    }
    return ST_OK;
}

CUDA_OP(mul);
