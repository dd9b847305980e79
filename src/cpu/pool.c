/* cpu/pool: see pool.h. */
#include "pool.h"

Status pool_steps(StepPlan *plan, bool average) {
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    Pooling pooling = {.src = plan_md_in(plan),
                       .dst = plan_md_out(plan),
                       .kernel = args->kernel,
                       .stride = args->stride,
                       .pad = args->pad,
                       .average = average,
                       .count_pad = args->count_pad,
                       .training = desc->training};
    dnnl_primitive_t forward, backward;
    TRY(primitive_pool_forward(plan_engine(plan), &pooling, &forward));
    size_t bytes = primitive_bytes(forward, DNNL_ARG_WORKSPACE);
    Arg indices = {bytes > 0 ? steps_saved(plan, bytes) : AT_NOTHING, DNNL_ARG_WORKSPACE};
    PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC}, {AT_OUT, DNNL_ARG_DST},
                   indices);
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    TRY(primitive_pool_backward(plan_engine(plan), &pooling, forward, &backward));
    Step *step = PRIMITIVE_STEP(plan, PASS_BACKWARD, backward, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
                                {AT_GRAD_IN(0), DNNL_ARG_DIFF_SRC}, indices);
    return plan_grad_in(plan, step, 0);
}
