/* cuda/curve: what element-wise functions of one input share. */
#include "plan.h"

Status plan_curve(CudaPlan *plan, GraphCurve curve) {
    const OpDesc *desc = &plan->base.desc;
    GraphTarget *target = &plan->device->target;
    Shape shape = desc->out.shape;
    Graph *forward = NULL, *backward = NULL;
    TRY(graph_curve_forward(target, curve, shape, plan_type(plan), &forward));
    GRAPH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, ROLE_X, 0}, {AT_OUT, ROLE_Y, 0});
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    /* The output is positive where the input is, and may be needed anyway. */
    plan->base.backward_reads_out = curve == GRAPH_RELU;
    plan->base.backward_reads_in = curve == GRAPH_GELU;
    TRY(graph_curve_backward(target, curve, shape, plan_type(plan), &backward));
    GRAPH_STEP(plan, PHASE_BACKWARD, backward, {curve == GRAPH_RELU ? AT_OUT : AT_IN, ROLE_X, 0},
               {AT_GRAD_OUT, ROLE_DY, 0}, plan_grad_in(plan, ROLE_DX));
    plan_finish_grad_in(plan);
    return ST_OK;
}
