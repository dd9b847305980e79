/* cuda/pointwise: see pointwise.h. */
#include "pointwise.h"

Status pointwise_steps(StepPlan *plan, GraphPointwise function) {
    const OpDesc *desc = &plan->base.desc;
    GraphTarget *target = plan_target(plan);
    Shape shape = desc->out.shape;
    Graph *forward = NULL, *backward = NULL;
    TRY(graph_pointwise_forward(target, function, shape, plan_type(plan), &forward));
    GRAPH_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), ROLE_X}, {AT_OUT, ROLE_Y});
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;

    /* The output is positive where the input is, and may be needed anyway. */
    plan->base.backward_reads_out = function == GRAPH_RELU;
    plan->base.backward_reads_in = function == GRAPH_GELU ? READS_IN(0) : 0;
    TRY(graph_pointwise_backward(target, function, shape, plan_type(plan), &backward));
    GRAPH_STEP(plan, PASS_BACKWARD, backward, {function == GRAPH_RELU ? AT_OUT : AT_IN(0), ROLE_X},
               {AT_GRAD_OUT, ROLE_DY}, plan_grad_in(plan, 0, ROLE_DX));
    plan_finish_grad_in(plan, 0);
    return ST_OK;
}
