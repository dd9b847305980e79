/* cuda/graph_plan: see graph_plan.h. */
#include "graph_plan.h"

#include <string.h>

#include "graph_choose.h"

/* The living graph of that name, with one more reference; NULL if there is none. */
static Graph *find_living(const GraphTarget *target, const char *name) {
    for (Graph *graph = target->cache; graph; graph = graph->next) {
        if (strcmp(graph->name, name) == 0) {
            graph->references++;
            return graph;
        }
    }
    return NULL;
}

Status graph_plan(Builder *builder, Graph **out) {
    GraphTarget *target = builder->target;
    Graph *graph = builder->graph;
    Status status = builder->status;
    if (status == ST_OK && (*out = find_living(target, graph->name)) != NULL) {
        graph_destroy(graph);
        return ST_OK;
    }
    if (status == ST_OK) {
        status = graph_choose(builder);
        target->missing += status != ST_OK;
    }
    if (target->planned && graph)
        target->planned(target->context, graph->name, status == ST_OK ? graph : NULL);
    if (status != ST_OK) {
        if (graph)
            status_prefix("%s", graph->name);
        graph_destroy(graph);
        return status;
    }
    target->compiled += graph->info.behavior >> CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION & 1;
    graph->references = 1;
    graph->next = target->cache;
    target->cache = graph;
    *out = graph;
    return ST_OK;
}
