/* meter: time and images of a run of the step loop, on one rank: since the last logged step, and in
 * all. Local. */
#ifndef LOCKSTEP_RUN_METER_H
#define LOCKSTEP_RUN_METER_H

#include <stdint.h>

#include "lockstep/phase.h"

/* What was spent on some steps. */
typedef struct Spent {
    PhaseTimes times;
    double seconds; /* in steps; evaluations and checkpoints are not */
    int64_t images;
} Spent;

typedef struct Meter {
    Spent interval;      /* since the last logged step */
    Spent total;         /* `times` up to the end of the last interval */
    double begin_s;      /* clock at the first step */
    double epoch_s;      /* clock where the epoch began */
    double evaluation_s; /* spent in it */
    int64_t first_step;
} Meter;

/* Before step `step`, the first one of this process. */
void meter_begin(Meter *meter, int64_t step);

/* A step of `images` images took `seconds`, of which `times` tells the phases. */
void meter_step(Meter *meter, int64_t images, double seconds, const PhaseTimes *times);

/* The run went back by `steps`, which are to be done again. */
void meter_back(Meter *meter, int64_t steps);

/* A checkpoint held the step loop up for `seconds`. */
void meter_checkpoint(Meter *meter, double seconds);

/* So did an evaluation. */
void meter_evaluation(Meter *meter, double seconds);

/* Seconds since the epoch began, or, if that was before it, this process, evaluations and
 * checkpoints included; begins a new one. `evaluation` gets the seconds of evaluations in it. */
double meter_next_epoch(Meter *meter, double *evaluation);

/* Begins a new interval. */
void meter_next_interval(Meter *meter);

/* Images a second; NaN where no time has passed. */
double spent_rate(const Spent *spent);

/* Seconds since meter_begin. */
double meter_wall(const Meter *meter);

/* Seconds until step `end` is done, after `step` steps, at the pace of this process so far,
 * evaluations and checkpoints included. */
double meter_eta(const Meter *meter, int64_t step, int64_t end);

#endif
