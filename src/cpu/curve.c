/* cpu/curve: what element-wise functions of one input share. */
#include "plan.h"

Status plan_curve(CpuPlan *plan, Curve curve, double factor) {
    const OpDesc *desc = &plan->base.desc;
    dnnl_engine_t engine = plan->device->engine;
    MemDesc md = plan_md_in(plan);
    Step *forward = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_OUT, DNNL_ARG_DST, 0});
    TRY(kernel_curve_forward(engine, curve, factor, &md, &forward->kernel));
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    plan->base.backward_reads_out = curve == CURVE_RELU;
    plan->base.backward_reads_in = curve == CURVE_GELU;
    /* Scaling reads neither, but oneDNN wants a source: the gradient serves. */
    Place reads = curve == CURVE_RELU ? AT_OUT : curve == CURVE_GELU ? AT_IN : AT_GRAD_OUT;
    Step *backward =
        STEP(plan, PHASE_BACKWARD, {reads, curve == CURVE_RELU ? DNNL_ARG_DST : DNNL_ARG_SRC, 0},
             {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0}, {AT_GRAD_IN, DNNL_ARG_DIFF_SRC, 0});
    TRY(kernel_curve_backward(engine, curve, factor, &md, &backward->kernel));
    return plan_grad_in(plan, backward, DNNL_ARG_DIFF_SRC, 0);
}
