/* cuda/pool: see pool.h. cuDNN's resampling where it has engines for both directions, else our
 * kernels. cuDNN's index of the winner in its window is a signed byte, so that windows of more than
 * 127 elements are ours too. */
#include "pool.h"

static PoolShape pool_shape(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    Shape in = desc->in[0].shape, out = desc->out.shape;
    return (PoolShape){.n = (int32_t)in.n,
                       .c = (int32_t)in.c,
                       .in_h = (int32_t)in.h,
                       .in_w = (int32_t)in.w,
                       .out_h = (int32_t)out.h,
                       .out_w = (int32_t)out.w,
                       .kernel = (int32_t)args->kernel,
                       .stride = (int32_t)args->stride,
                       .pad = (int32_t)args->pad,
                       .count_pad = args->count_pad};
}

static Status max_forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_maxpool(at[1], plan->base.desc.training ? at[2] : NULL, at[0], plan_type(plan),
                         pool_shape(plan), call_stream(call)));
    return ST_OK;
}

static Status max_backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_maxpool_backward(at[1], at[0], at[2], plan_type(plan), pool_shape(plan),
                                  plan->base.desc.grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static Status average_forward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_avgpool(at[1], at[0], plan_type(plan), pool_shape(plan), call_stream(call)));
    return ST_OK;
}

static Status average_backward(const StepCall *call) {
    const StepPlan *plan = call->plan;
    void *const *at = call->at;
    TRY_CUDA(gpu_avgpool_backward(at[1], at[0], plan_type(plan), pool_shape(plan),
                                  plan->base.desc.grad_in[0] == GRAD_ADD, call_stream(call)));
    return ST_OK;
}

static void own_steps(StepPlan *plan, bool average, bool backward) {
    Operand winners = AT_NOTHING;
    if (!average && plan->base.desc.training)
        winners = steps_saved(plan, (size_t)plan_count(plan) * sizeof(uint16_t));
    LAUNCH_STEP(plan, PASS_FORWARD, average ? average_forward : max_forward, AT_IN(0), AT_OUT,
                winners);
    if (backward)
        LAUNCH_STEP(plan, PASS_BACKWARD, average ? average_backward : max_backward, AT_GRAD_OUT,
                    AT_GRAD_IN(0), winners);
}

static void cudnn_steps(StepPlan *plan, const GraphPool *pool, Graph *forward, Graph *backward) {
    Operand index = pool->index ? steps_saved(plan, (size_t)plan_count(plan)) : AT_NOTHING;
    GRAPH_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), ROLE_X}, {AT_OUT, ROLE_Y},
               {index, ROLE_INDEX});
    if (!backward)
        return;
    GRAPH_STEP(plan, PASS_BACKWARD, backward, {AT_GRAD_OUT, ROLE_DY},
               plan_grad_in(plan, 0, ROLE_DX), {index, ROLE_INDEX});
    plan_finish_grad_in(plan, 0);
}

Status pool_steps(StepPlan *plan, bool average) {
    enum { WINDOW_MAX = 127 };
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    GraphTarget *target = plan_target(plan);
    Graph *forward = NULL, *backward = NULL;
    bool trained = desc->training && desc->grad_in[0] != GRAD_NONE;
    GraphPool pool = {.dtype = plan_type(plan),
                      .x = desc->in[0].shape,
                      .y = desc->out.shape,
                      .kernel = args->kernel,
                      .stride = args->stride,
                      .pad = args->pad,
                      .average = average,
                      .count_pad = args->count_pad,
                      .index = !average && trained};
    if ((average || args->kernel * args->kernel <= WINDOW_MAX) &&
        plan_has_engine(graph_pool_forward(target, &pool, &forward)) &&
        (!trained || plan_has_engine(graph_pool_backward(target, &pool, &backward)))) {
        cudnn_steps(plan, &pool, forward, backward);
        return ST_OK;
    }
    graph_free(target, forward);
    plan->base.own_kernels = true;
    own_steps(plan, average, trained);
    return ST_OK;
}
