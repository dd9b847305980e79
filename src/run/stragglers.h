/* stragglers: which rank is slow. An all-reduce makes every step as long as that of the slowest
 * rank, so the time of steps says nothing of who that is: what is compared is the time that a lane
 * takes, up to the first sum, which waits for nobody.
 *
 * Each rank keeps these times of a window of steps. In the steps of the next window the ranks take
 * turns to put theirs, the median, into the tail of the step's sums, so it costs no message; then
 * all know those of all. A window is as long as `straggler.steps`, or as there are ranks. A time is
 * one of a lane and not of a rank, so shares of unequal size, as of 5 lanes on 2 ranks, are none of
 * it. Local. */
#ifndef LOCKSTEP_RUN_STRAGGLERS_H
#define LOCKSTEP_RUN_STRAGGLERS_H

#include "lockstep/metrics.h"
#include "lockstep/session.h"
#include "lockstep/stepper.h"

typedef struct Stragglers {
    const Session *session; /* borrowed */
    double factor;        /* 0: nothing is said; from it times the median rank on a rank is slow */
    int64_t window, done; /* steps; done in all by this process */
    double *lane_s;       /* [window] of this rank, of the window's steps so far */
    double waited_s;      /* for sums, likewise, all steps together */
    StepTimes mine;       /* of the window before */
    StepTimes *heard;     /* [ranks] in this one's turns */
    RankPace *pace;       /* [ranks] of the last window of which all is known */
    double *sorted;       /* [max(window, ranks)] */
    int known;            /* ranks of `pace`; 0: no window is known yet, or there is one rank */
} Stragglers;

/* ST_INTERNAL. */
Status stragglers_open(Stragglers *stragglers, const Session *session);
void stragglers_close(Stragglers *stragglers); /* accepts a zeroed struct */

/* Before a step: what this rank has to tell. */
void stragglers_ask(const Stragglers *stragglers, StepRequest *request);

/* After it. Names each slow rank, once, on rank 0. */
void stragglers_step(Stragglers *stragglers, const StepResult *step);

#endif
