/* cuda/pool: see pool.h. A maximum that is trained is cuDNN's resampling where it has engines for
 * both directions; all else is our kernels'. cuDNN's engines that keep no index are not asked: in
 * bfloat16 that of 9.19 for sm_90 reads beyond its input and writes other values. Its index of the
 * winner in a window is a signed byte, so that windows of more than 127 elements are ours too. */
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

static void cudnn_steps(StepPlan *plan, Graph *forward, Graph *backward) {
    Operand index = steps_saved(plan, (size_t)plan_count(plan));
    GRAPH_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), ROLE_X}, {AT_OUT, ROLE_Y},
               {index, ROLE_INDEX});
    GRAPH_STEP(plan, PASS_BACKWARD, backward, {AT_GRAD_OUT, ROLE_DY},
               plan_grad_in(plan, 0, ROLE_DX), {index, ROLE_INDEX});
    plan_finish_grad_in(plan, 0);
}

/* The graphs of a maximum that is trained; false where cuDNN lacks one of them. */
static bool has_graphs(StepPlan *plan, const GraphPool *pool, Graph **forward, Graph **backward) {
    GraphTarget *target = plan_target(plan);
    *forward = *backward = NULL;
    if (plan_has_engine(graph_pool_forward(target, pool, forward)) &&
        plan_has_engine(graph_pool_backward(target, pool, backward)))
        return true;
    graph_free(target, *forward);
    return false;
}

Status pool_steps(StepPlan *plan, bool average) {
    enum { WINDOW_MAX = 127 };
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    Graph *forward, *backward;
    bool trained = desc->training && desc->grad_in[0] != GRAD_NONE;
    GraphPool pool = {.dtype = plan_type(plan),
                      .x = desc->in[0].shape,
                      .y = desc->out.shape,
                      .kernel = args->kernel,
                      .stride = args->stride,
                      .pad = args->pad};
    if (!average && trained && args->kernel * args->kernel <= WINDOW_MAX &&
        has_graphs(plan, &pool, &forward, &backward)) {
        cudnn_steps(plan, forward, backward);
        return ST_OK;
    }
    plan->base.own_kernels = !average && trained;
    own_steps(plan, average, trained);
    return ST_OK;
}
