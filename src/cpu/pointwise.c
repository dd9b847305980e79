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

    bool reads_out = primitive_pointwise_reads(function) == DNNL_ARG_DST;
    bool reads_in = !reads_out && function != POINTWISE_SCALE;
    plan->base.backward_reads_out = reads_out;
    plan->base.backward_reads_in = reads_in ? READS_IN(0) : 0;
    /* For scaling the gradient serves as a source. */
    Arg reads = {reads_out  ? AT_OUT
                 : reads_in ? AT_IN(0)
                            : AT_GRAD_OUT,
                 primitive_pointwise_reads(function)};
    TRY(primitive_pointwise_backward(plan_engine(plan), function, factor, &md, &backward));
    Step *step =
        PRIMITIVE_STEP(plan, PASS_BACKWARD, backward, reads, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                       {AT_GRAD_IN(0), DNNL_ARG_DIFF_SRC});
    return plan_grad_in(plan, step, 0);
}
