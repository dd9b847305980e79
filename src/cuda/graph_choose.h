/* cuda/graph_choose: which engine runs a graph. */
#ifndef LOCKSTEP_CUDA_GRAPH_CHOOSE_H
#define LOCKSTEP_CUDA_GRAPH_CHOOSE_H

#include "graph_build.h"

/* Finds an engine for the operations: sets the graph's plan and info. ST_DEVICE where there is
 * none. */
Status graph_choose(Builder *builder);

#endif
