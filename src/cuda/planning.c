/* cuda/planning: see planning.h. */
#include "planning.h"

#include "compiler.h"
#include "lockstep/log.h"
#include "plan_store.h"

static Status begin(Device *base, const char *text) {
    PlanStore *store = ((CudaDevice *)base)->target.store;
    return store ? plan_store_add(store, text) : ST_OK;
}

/* A ReLU alone. Neither told of nor kept. */
bool planning_compiles(GraphTarget *target) {
    GraphTarget bare = {.handle = target->handle,
                        .device = target->device,
                        .exact = target->exact,
                        .workspace_max = target->workspace_max};
    const Shape shape = {1, 64, 1, 1};
    Graph *graph = NULL;
    if (target->compiled > 0 || target->missing == 0)
        return true;
    Status status = graph_pointwise_forward(&bare, GRAPH_RELU, shape, DT_F32, &graph);
    if (status == ST_OK)
        graph_free(&bare, graph);
    else
        status_clear();
    return status == ST_OK;
}

static Status end(Device *base, Planning *planning) {
    CudaDevice *device = (CudaDevice *)base;
    GraphTarget *target = &device->target;
    char advice[COMPILER_TEXT_MAX];
    *planning = (Planning){.made = target->made, .taken = target->taken};
    if (device->speaks && !planning_compiles(target)) {
        compiler_advise(advice);
        log_rank(
            "cuDNN can compile no engine here, so that batch norm, pooling and products run on "
            "lockstep's own kernels, which are slower: %s",
            advice);
    }
    if (!target->store)
        return ST_OK;
    plan_store_trim(target->store);
    return plan_store_text(target->store, &planning->text);
}

const PlanningOps cuda_planning = {.begin = begin, .end = end};
