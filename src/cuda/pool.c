/* cuda/pool: what max and average pooling share: cuDNN's resampling where it has engines for both
 * directions, else our kernels. cuDNN's index of the winner in its window is a signed byte, so that
 * windows of more than 127 elements are ours too. */
#include "plan.h"

static PoolShape pool_shape(const CudaPlan *plan) {
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
                       .pad = (int32_t)args->pad};
}

static Status max_forward(const CudaPlan *plan, Stream *stream, void *const *at,
                          const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_maxpool(at[1], plan->base.desc.training ? at[2] : NULL, at[0], plan_type(plan),
                         pool_shape(plan), stream->stream));
    return ST_OK;
}

static Status max_backward(const CudaPlan *plan, Stream *stream, void *const *at,
                           const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_maxpool_backward(at[1], at[0], at[2], plan_type(plan), pool_shape(plan),
                                  plan->base.desc.grad_in[0] == GRAD_ADD, stream->stream));
    return ST_OK;
}

static Status average_forward(const CudaPlan *plan, Stream *stream, void *const *at,
                              const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_avgpool(at[1], at[0], plan_type(plan), pool_shape(plan), stream->stream));
    return ST_OK;
}

static Status average_backward(const CudaPlan *plan, Stream *stream, void *const *at,
                               const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_avgpool_backward(at[1], at[0], plan_type(plan), pool_shape(plan),
                                  plan->base.desc.grad_in[0] == GRAD_ADD, stream->stream));
    return ST_OK;
}

static void own_steps(CudaPlan *plan, bool average, bool backward) {
    size_t winners = 0;
    bool index = !average && plan->base.desc.training;
    if (index)
        winners = plan_saved(plan, (size_t)plan_count(plan) * sizeof(uint16_t));
    LAUNCH_STEP(plan, PHASE_FORWARD, average ? average_forward : max_forward, {AT_IN, 0, 0},
                {AT_OUT, 0, 0}, {index ? AT_SAVED : AT_NOTHING, 0, winners});
    if (backward)
        LAUNCH_STEP(plan, PHASE_BACKWARD, average ? average_backward : max_backward,
                    {AT_GRAD_OUT, 0, 0}, {AT_GRAD_IN, 0, 0},
                    {index ? AT_SAVED : AT_NOTHING, 0, winners});
}

static void cudnn_steps(CudaPlan *plan, const GraphPool *pool, Graph *forward, Graph *backward) {
    size_t index = pool->index ? plan_saved(plan, (size_t)plan_count(plan)) : 0;
    GRAPH_STEP(plan, PHASE_FORWARD, forward, {AT_IN, ROLE_X, 0}, {AT_OUT, ROLE_Y, 0},
               {pool->index ? AT_SAVED : AT_NOTHING, ROLE_INDEX, index});
    if (!backward)
        return;
    GRAPH_STEP(plan, PHASE_BACKWARD, backward, {AT_GRAD_OUT, ROLE_DY, 0},
               plan_grad_in(plan, ROLE_DX),
               {pool->index ? AT_SAVED : AT_NOTHING, ROLE_INDEX, index});
    plan_finish_grad_in(plan);
}

Status plan_pool(CudaPlan *plan, bool average) {
    enum { WINDOW_MAX = 127 };
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    GraphTarget *target = &plan->device->target;
    Graph *forward = NULL, *backward = NULL;
    bool trained = desc->training && desc->grad_in[0] != GRAD_NONE;
    GraphPool pool = {.dtype = plan_type(plan),
                      .x = desc->in[0].shape,
                      .y = desc->out.shape,
                      .kernel = args->kernel,
                      .stride = args->stride,
                      .pad = args->pad,
                      .average = average,
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
