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
 * A Tune belongs to a device, whose GraphTarget it serves as Chooser. It either times (from
 * TuningOps.begin without a text until its end), or follows a text. Local; planning is for one
 * thread at a time. */
#ifndef LOCKSTEP_CUDA_TUNE_H
#define LOCKSTEP_CUDA_TUNE_H

#include "cuda.h"

extern const TuningOps cuda_tuning;

void tune_free(Tune *tune); /* accepts NULL */

#endif
