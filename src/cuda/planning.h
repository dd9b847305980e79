/* cuda/planning: how graphs came to their plans, and whether cuDNN can compile at all. */
#ifndef LOCKSTEP_CUDA_PLANNING_H
#define LOCKSTEP_CUDA_PLANNING_H

#include "cuda.h"

extern const PlanningOps cuda_planning;

/* Whether cuDNN compiles engines here, where what was planned leaves that open: for graphs without
 * an engine there may be another reason. Plans one graph that has a compiled engine on every GPU.
 */
bool planning_compiles(GraphTarget *target);

#endif
