/* pacing: what a run asks for by the clock of rank 0, checkpoints (interval.h) and its end
 * (time_limit.h), and who else asks it to stop: signals (of any rank) and the file `stop`.
 *
 * What this rank asks for before a step, the step's sum tells all ranks, so that they do it after
 * the same one. Local. */
#ifndef LOCKSTEP_RUN_PACING_H
#define LOCKSTEP_RUN_PACING_H

#include "interval.h"
#include "keeper.h"
#include "time_limit.h"

/* Why this rank asks all to stop. */
typedef enum StopCause { STOP_NONE, STOP_SIGNAL, STOP_FILE, STOP_TIME } StopCause;

typedef struct Pacing {
    const RunConfig *config; /* borrowed */
    Keeper *keeper;          /* borrowed; rank 0's, NULL elsewhere */
    double started;          /* when this process began, by clock_now */
    Costs costs;
    TimeLimit limit;
    Interval interval;
    int64_t steps_per_epoch, end_step;
    int64_t written; /* checkpoints whose writing is in the costs */
    StopCause cause; /* in the step that was asked for last */
} Pacing;

/* Before the first step of this process, which trains up to `end_step`; pacing->started is set. */
void pacing_begin(Pacing *pacing, const Session *session, Keeper *keeper, int64_t end_step);

/* Fills in what is asked for with the step that comes next, from *state. */
void pacing_ask(Pacing *pacing, const RunState *state, StepRequest *request);

/* What they took, in seconds of clock_running: a step; an evaluation that is scheduled; a
 * checkpoint, of the steps' time. */
void pacing_step(Pacing *pacing, double seconds);
void pacing_evaluation(Pacing *pacing, double seconds);
void pacing_checkpoint(Pacing *pacing, double seconds);

/* All stop after `step`, for some rank has asked: says why. */
void pacing_say_stopped(const Pacing *pacing, int64_t step);

#endif
