/* cpu/pointwise: see pointwise.h. */
#include "pointwise.h"

Status pointwise_steps(StepPlan *plan, Pointwise function, double factor) {
    const OpDesc *desc = &plan->base.desc;
    MemDesc md = plan_md_in(plan);
    dnnl_primitive_t forward, backward;
    TRY(primitive_pointwise_forward(plan_engine(plan), function, factor, &md, &forward));
    PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC}, {AT_OUT, DNNL_ARG_DST});
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    plan->base.backward_reads_out = function == POINTWISE_RELU;
    plan->base.backward_reads_in = function == POINTWISE_GELU ? READS_IN(0) : 0;
    /* Scaling reads neither, but oneDNN wants a source: the gradient serves. */
    Arg reads = {function == POINTWISE_GELU ? AT_IN(0) : AT_GRAD_OUT, DNNL_ARG_SRC};
    if (function == POINTWISE_RELU)
        reads = (Arg){AT_OUT, DNNL_ARG_DST};
    TRY(primitive_pointwise_backward(plan_engine(plan), function, factor, &md, &backward));
    Step *step =
        PRIMITIVE_STEP(plan, PASS_BACKWARD, backward, reads, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                       {AT_GRAD_IN(0), DNNL_ARG_DIFF_SRC});
    return plan_grad_in(plan, step, 0);
}
