/* cuda/graph_run: binding and running of planned graphs. See graph.h. */
#include "graph.h"

#include <stdlib.h>

#include "check.h"
#include "graph_internal.h"

struct GraphCall {
    Desc pack; /* variant pack */
};

void graph_destroy(Graph *graph) {
    if (!graph)
        return;
    if (graph->plan)
        cudnnBackendDestroyDescriptor(graph->plan);
    while (graph->n_owned > 0)
        cudnnBackendDestroyDescriptor(graph->owned[--graph->n_owned]);
    free(graph);
}

void graph_free(GraphTarget *target, Graph *graph) {
    if (!graph || --graph->references > 0)
        return;
    for (Graph **at = &target->cache; *at; at = &(*at)->next) {
        if (*at == graph) {
            *at = graph->next;
            break;
        }
    }
    graph_destroy(graph);
}

__attribute__((visibility("default"))) const GraphInfo *graph_info(const Graph *graph) {
    return &graph->info;
}

Status graph_bind(const Graph *graph, void *const data[GRAPH_ROLES], void *workspace,
                  GraphCall **out) {
    int64_t id[GRAPH_ROLES];
    const void *pointer[GRAPH_ROLES];
    int n = 0;
    Status status = ST_OK;
    for (int role = 0; role < GRAPH_ROLES; role++) {
        if (!(graph->roles >> role & 1))
            continue;
        id[n] = role + 1;
        pointer[n++] = graph->values >> role & 1 ? (const void *)&graph->value[role] : data[role];
        if (!pointer[n - 1])
            return FAIL(ST_INTERNAL, "%s: no memory for tensor %d", graph->name, role);
    }
    GraphCall *call = calloc(1, sizeof *call);
    TRY_ALLOC(call);
#define SET(name, type, count, values)                                                             \
    TRY_DONE(cudnn_check(cudnnBackendSetAttribute(call->pack, name, type, count, values), #name,   \
                         __FILE__, __LINE__))
    TRY_DONE(cudnn_check(
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &call->pack),
        "VARIANT_PACK_DESCRIPTOR", __FILE__, __LINE__));
    SET(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id);
    SET(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointer);
    SET(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
#undef SET
    TRY_DONE(cudnn_check(cudnnBackendFinalize(call->pack), "variant pack", __FILE__, __LINE__));
    *out = call;
    call = NULL;
done:
    graph_unbind(call);
    return status;
}

void graph_unbind(GraphCall *call) {
    if (!call)
        return;
    if (call->pack)
        cudnnBackendDestroyDescriptor(call->pack);
    free(call);
}

Status graph_run(cudnnHandle_t handle, const Graph *graph, const GraphCall *call) {
    return cudnn_check(cudnnBackendExecute(handle, graph->plan, call->pack), graph->name, __FILE__,
                       __LINE__);
}
