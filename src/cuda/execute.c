/* cuda/execute: one step of cuDNN's: a graph, bound to the addresses of its tensors. */
#include "plan.h"

/* While a sequence is recorded the lane is not named: it is when that is replayed. */
static Status begin(Stream *stream, const LaneRun *run) {
    if (run && !stream->recording)
        TRY(cuda_lane(stream, run));
    return cuda_enter(stream->device);
}

static size_t workspace(const void *work) {
    return graph_info(work)->workspace;
}

static Status bind(const StepPlan *plan, const Step *step, void *const *at, void *scratch,
                   void **bound) {
    (void)plan;
    void *data[GRAPH_ROLES] = {0};
    GraphCall *call = NULL;
    for (int i = 0; i < step->n_args; i++)
        data[step->arg[i].id] = at[i];
    TRY(graph_bind(step->work, data, workspace(step->work) > 0 ? scratch : NULL, &call));
    *bound = call;
    return ST_OK;
}

static void unbind(void *bound) {
    graph_unbind(bound);
}

static Status run_graph(Stream *stream, const void *work, const void *bound) {
    return graph_run(stream->cudnn, work, bound);
}

static void free_graph(Device *device, void *work) {
    graph_free(&((CudaDevice *)device)->target, work);
}

const StepBackend cuda_steps = {
    .begin = begin,
    .workspace = workspace,
    .bind = bind,
    .unbind = unbind,
    .run = run_graph,
    .free_work = free_graph,
};
