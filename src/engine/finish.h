/* finish: the last part of a step where the device makes it without the host (FinishOps): the sums
 * are judged and the gradient's norm is made; then one recording updates weights, moving average
 * and running statistics and packs the weights for the next step, or does nothing to them where the
 * sums are bad. The host waits once, for the tail, whose way to it stands before the update: it
 * learns what the device has found, and goes on while that updates.
 *
 * Not so where the host must look at the tail first: sums that travel as int32 (exact32 on several
 * ranks), some of which may have to travel again. */
#ifndef LOCKSTEP_ENGINE_FINISH_H
#define LOCKSTEP_ENGINE_FINISH_H

#include "optimize.h"

typedef struct Finishing {
    Session *session; /* borrowed */
    Finish *finish;   /* NULL: the host ends steps (optimize_step) */
    FinishTurn *turn; /* [grouping.n_ranges] */
    Mark *told;       /* the tail and the norm are on the host */
    double norm;      /* of the step, where gradients are clipped */
    bool warm;        /* update and packing have run once, one by one */
    Recording *recording;
} Finishing;

/* Local. ST_DEVICE. */
Status finishing_open(Finishing *finishing, Session *session, const GradSum *sum);
void finishing_close(Finishing *finishing); /* accepts a zeroed struct */

/* Once the sums have settled (grad_sum_settle): enqueues all, and waits for the tail. Local.
 * ST_DEVICE, ST_DEADLINE. */
Status finishing_begin(Finishing *finishing, const Optimize *optimize, GradSum *sum);

/* What is left of a step that was not bad: the host follows. Local. ST_DEVICE. */
Status finishing_end(Finishing *finishing, const Optimize *optimize, const GradSum *sum,
                     StepResult *result);

#endif
