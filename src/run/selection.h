/* selection: which evaluation is the best so far, and whether that is enough: the target is
 * reached, or waiting for a better one is given up. It works on the checkpointed state alone, so it
 * goes on over a resume. Local. */
#ifndef LOCKSTEP_RUN_SELECTION_H
#define LOCKSTEP_RUN_SELECTION_H

#include "lockstep/checkpoint.h"
#include "lockstep/config.h"

/* Takes an evaluation of the selecting set, after state->step, into account: it is the best, a
 * runner-up, or neither. True where it is better than all before it: of equals the first is the
 * better, and one whose loss is NaN is none. */
bool selection_add(RunState *state, Monitor monitor, double accuracy, double loss);

/* True where the last `patience` evaluations were none of them better (0: never). */
bool selection_gives_up(const RunState *state, int64_t patience);

/* True where the last evaluation reached the accuracy `target` (0: never). */
bool selection_reaches(const RunState *state, double target);

#endif
