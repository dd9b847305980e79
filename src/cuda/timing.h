/* cuda/timing: candidates for a graph, timed. Local. */
#ifndef LOCKSTEP_CUDA_TIMING_H
#define LOCKSTEP_CUDA_TIMING_H

#include "cuda.h"
#include "graph_internal.h"

/* Runs all candidates, in turns, on scratch memory, and says which was the fastest. One that cannot
 * run is never it. */
Status timing_compare(Stream *stream, Graph *graph, const Candidate *candidate, int n,
                      int *fastest);

#endif
