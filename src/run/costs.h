/* costs: what steps, evaluations and checkpoints of this process take, for who must know it ahead.
 * Seconds by clock_running: time in which the process was suspended is no cost. Local.
 *
 * Each is the longest of late: one that took less takes a share off what is remembered, so a single
 * hiccup is forgotten in time. */
#ifndef LOCKSTEP_RUN_COSTS_H
#define LOCKSTEP_RUN_COSTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Costs {
    double step;       /* 0: none yet */
    double evaluation; /* one that is scheduled, of all its sets; 0: none yet */
    double held;       /* what a checkpoint holds the steps up by */
    double write;      /* what it then takes until it is committed */
    double write_cpu;  /* of that, time in which its thread computed */
    bool measured;     /* else the last two are assumed */
} Costs;

/* `state_bytes`: of a checkpoint. */
void costs_begin(Costs *costs, int64_t state_bytes);

void costs_step(Costs *costs, double seconds);
void costs_evaluation(Costs *costs, double seconds);
void costs_held(Costs *costs, double seconds);

/* A checkpoint was committed so long after it was handed over. */
void costs_write(Costs *costs, double seconds, double cpu);

#endif
