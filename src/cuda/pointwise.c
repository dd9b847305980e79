/* cuda/pointwise: what element-wise functions of one input share. */
#include "plan.h"

Status plan_pointwise(CudaPlan *plan, GraphPointwise function) {
    const OpDesc *desc = &plan->base.desc;
    GraphTarget *target = &plan->device->target;
    Shape shape = desc->out.shape;
    Graph *forward = NULL, *backward = NULL;
    TRY(graph_pointwise_forward(target, function, shape, plan_type(plan), &forward));
    GRAPH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, ROLE_X, 0}, {AT_OUT, ROLE_Y, 0});
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    /* The output is positive where the input is, and may be needed anyway. */
    plan->base.backward_reads_out = function == GRAPH_RELU;
    plan->base.backward_reads_in = function == GRAPH_GELU;
    TRY(graph_pointwise_backward(target, function, shape, plan_type(plan), &backward));
    GRAPH_STEP(plan, PHASE_BACKWARD, backward, {function == GRAPH_RELU ? AT_OUT : AT_IN, ROLE_X, 0},
               {AT_GRAD_OUT, ROLE_DY, 0}, plan_grad_in(plan, ROLE_DX));
    plan_finish_grad_in(plan);
    return ST_OK;
}
