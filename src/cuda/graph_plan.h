/* cuda/graph_plan: from what stands in a Builder to a planned Graph. */
#ifndef LOCKSTEP_CUDA_GRAPH_PLAN_H
#define LOCKSTEP_CUDA_GRAPH_PLAN_H

#include "graph_build.h"

/* Finds an engine and finalizes the plan, unless the target has that graph already. ST_DEVICE
 * naming the graph if there is none. */
Status graph_plan(Builder *builder, Graph **graph);

#endif
