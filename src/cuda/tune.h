/* cuda/tune: engines chosen by timing, on record.
 *
 * What a timing says differs from run to run, so a choice made by it is made once and written down:
 * for each graph (its name says shape, fused parts and type) the engine and its knobs. The text has
 * a first line that says what it was made for,
 *
 *   lockstep autotune 1: 27 cuDNN graphs on sm_90 x132 cudnn91900, fp32, exact
 *   conv forward+bias+relu 64x64x32x32 k3 s1 p1 c128 fp32: eng34 k2=1 k13=0
 *
 * and one line a graph in the order of planning. It may be edited: what it says is what is used,
 * as long as the rule of graph.h allows that engine.
 *
 * A Tune belongs to a device's GraphTarget. It either times (from cuda_tune without a text until
 * cuda_tuned), or follows a text. Local; planning is for one thread at a time. */
#ifndef LOCKSTEP_CUDA_TUNE_H
#define LOCKSTEP_CUDA_TUNE_H

#include "cuda.h"
#include "graph_build.h"

/* Members of DeviceOps. */
Status cuda_tune(Device *device, const char *choices, double seconds);
Status cuda_tuned(Device *device, Tuning *tuning);

void tune_free(Tune *tune); /* accepts NULL */

/* The choice on record for the graph of that name, or NULL. */
const char *tune_find(const Tune *tune, const char *name);

/* Whether a graph without a choice is to be timed now. */
bool tune_is_timing(const Tune *tune);

/* Runs all candidates, in turns, on scratch memory, and says which was the fastest. One that cannot
 * run is never it. */
Status tune_time(Tune *tune, Graph *graph, const Candidate *candidate, int n, int *fastest);

/* Puts a choice on record. `timed`: not merely the rule's; `gained`: another one than the rule's.
 */
Status tune_keep(Tune *tune, const char *name, const char *choice, bool timed, bool gained);

/* ST_CHECKPOINT: cuDNN has no such engine for the graph, or the rule forbids it. cuda_tuned says so
 * again, for an op may have another way than this graph. */
Status tune_refuse(Tune *tune, const char *name, const char *choice);

#endif
