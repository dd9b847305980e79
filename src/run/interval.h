/* interval: how long to train between two checkpoints: --checkpoint-every auto.
 *
 * A checkpoint costs `cost` seconds of training; a failure, one every `mtbf` seconds in the mean,
 * costs what was computed since the last one. J. W. Young, "A first order approximation to the
 * optimum checkpoint interval" (Communications of the ACM 17(9), 1974, p. 530), has the least of
 * both at sqrt(2 cost mtbf) between two; J. T. Daly, "A higher order estimate of the optimum
 * checkpoint interval for restart dumps" (Future Generation Computer Systems 22(3), 2006, p. 303),
 * mends that where a checkpoint is not short beside the mean time between failures:
 *
 *   sqrt(2 cost mtbf) (1 + sqrt(cost / 2 mtbf) / 3 + (cost / 2 mtbf) / 9) - cost   cost < 2 mtbf
 *   mtbf                                                                           else
 *
 * Whatever the failures, checkpoints that are made for this reason take no more than 1 % of the
 * time, and two are as far apart as one takes to be written. That none is asked for while one is
 * being written, however long that takes, is pacing's. Local, rank 0; the step's sum carries what
 * it asks for to all ranks. */
#ifndef LOCKSTEP_RUN_INTERVAL_H
#define LOCKSTEP_RUN_INTERVAL_H

#include <stdbool.h>

#include "costs.h"

typedef struct Interval {
    bool wanted;    /* else none is ever due */
    double mtbf;    /* seconds */
    double seconds; /* between two, by the costs that are known; what is assumed at first */
    double saved;   /* by clock_now: the last checkpoint; at first the beginning of the steps */
    double said;    /* `seconds` when it was printed last; 0: never */
} Interval;

/* Daly's, of seconds. */
double interval_optimum(double cost, double mtbf);

/* What is made of it: above. `write`: what a checkpoint takes to be written. */
double interval_between(double cost, double write, double mtbf);

/* Before the first step, at `now`. */
void interval_begin(Interval *interval, bool wanted, double mtbf, const Costs *costs, double now);

/* A checkpoint was taken at `now`, whatever for. */
void interval_saved(Interval *interval, double now);

/* One was written, so costs are known: settles the interval, and prints it in one line where it is
 * new or by half another one than was printed last. */
void interval_learn(Interval *interval, const Costs *costs);

/* Whether one is due at `now`, where the next one that is made anyhow, or the end, comes in
 * `until_next` seconds. Half an interval before that it is not worth its cost: what a failure in
 * the time r would cost, t computed seconds with the chance r / mtbf, is less than `cost` where r
 * < cost mtbf / t, which is t / 2. */
bool interval_due(const Interval *interval, double now, double until_next);

#endif
