/* cpu/pointwise: what element-wise functions of one input share. */
#include "plan.h"

Status plan_pointwise(CpuPlan *plan, Pointwise function, double factor) {
    const OpDesc *desc = &plan->base.desc;
    dnnl_engine_t engine = plan->device->engine;
    MemDesc md = plan_md_in(plan);
    Step *forward = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_OUT, DNNL_ARG_DST, 0});
    TRY(primitive_pointwise_forward(engine, function, factor, &md, &forward->primitive));
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    plan->base.backward_reads_out = function == POINTWISE_RELU;
    plan->base.backward_reads_in = function == POINTWISE_GELU;
    /* Scaling reads neither, but oneDNN wants a source: the gradient serves. */
    Place reads = function == POINTWISE_RELU   ? AT_OUT
                  : function == POINTWISE_GELU ? AT_IN
                                               : AT_GRAD_OUT;
    Step *backward = STEP(plan, PHASE_BACKWARD,
                          {reads, function == POINTWISE_RELU ? DNNL_ARG_DST : DNNL_ARG_SRC, 0},
                          {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0}, {AT_GRAD_IN, DNNL_ARG_DIFF_SRC, 0});
    TRY(primitive_pointwise_backward(engine, function, factor, &md, &backward->primitive));
    return plan_grad_in(plan, backward, DNNL_ARG_DIFF_SRC, 0);
}
