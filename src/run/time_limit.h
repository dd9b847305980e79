/* time_limit: --max-time, by which a run leaves by itself before somebody ends it.
 *
 * Time counts from the start of rank 0's process, before MPI and the data are there, as it does for
 * a batch system. Rank 0 alone looks at its clock, before each step; the step's sum carries what it
 * asks for to all ranks, so that all stop after the same one. At least one step is computed, so
 * that a job that is started again and again comes to its end. Local. */
#ifndef LOCKSTEP_RUN_TIME_LIMIT_H
#define LOCKSTEP_RUN_TIME_LIMIT_H

#include <stdbool.h>

#include "costs.h"
#include "lockstep/checkpoint.h"
#include "lockstep/session.h"

typedef struct TimeLimit {
    double end;              /* by clock_now; INFINITY: none */
    int64_t end_step;        /* of the run */
    int64_t steps_per_epoch; /* an evaluation is due at the end of */
    int64_t eval_every;      /* every so many epochs */
    double evaluation_steps; /* steps of as many images as an evaluation has */
    double end_evaluations;  /* what the evaluation at the end of the run is in scheduled ones */
} TimeLimit;

/* Of a process that began at `started` and trains up to step `end_step`. */
TimeLimit time_limit_of(const Session *session, double started, int64_t end_step);

/* Whether the step that is to be computed next, from *state, must be the last one of this process:
 * with one more, the evaluations that are due after them, and a checkpoint, `now` would become
 * later than the end. */
bool time_limit_asks(const TimeLimit *limit, const Costs *costs, const RunState *state, double now);

#endif
