/* cpu/pool: what max and average pooling share. */
#include "plan.h"

Status plan_pool(CpuPlan *plan, bool average) {
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    dnnl_engine_t engine = plan->device->engine;
    Pooling pooling = {.src = plan_md_in(plan),
                       .dst = plan_md_out(plan),
                       .kernel = args->kernel,
                       .stride = args->stride,
                       .pad = args->pad,
                       .average = average,
                       .training = desc->training};
    Step *forward = STEP(plan, PHASE_FORWARD, {AT_IN, DNNL_ARG_SRC, 0}, {AT_OUT, DNNL_ARG_DST, 0});
    TRY(primitive_pool_forward(engine, &pooling, &forward->primitive));
    size_t indices = primitive_bytes(&forward->primitive, DNNL_ARG_WORKSPACE);
    Arg workspace = {AT_SAVED, DNNL_ARG_WORKSPACE, plan_saved(plan, indices)};
    if (indices > 0)
        step_argument(forward, workspace);
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    Step *backward = STEP(plan, PHASE_BACKWARD, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0},
                          {AT_GRAD_IN, DNNL_ARG_DIFF_SRC, 0});
    TRY(primitive_pool_backward(engine, &pooling, &forward->primitive, &backward->primitive));
    if (indices > 0)
        step_argument(backward, workspace);
    return plan_grad_in(plan, backward, DNNL_ARG_DIFF_SRC, 0);
}
