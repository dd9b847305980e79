/* lanes: the rank's lanes of a step.
 *
 * Compute threads take them one after another; a lane is always computed by one thread with the
 * same shapes, so its bits depend on nothing else. Full buckets travel while other lanes still
 * compute. Where an op is over the whole step (bn over=batch) lanes advance together instead. */
#ifndef LOCKSTEP_ENGINE_LANES_H
#define LOCKSTEP_ENGINE_LANES_H

#include "lane.h"
#include "together.h"

typedef struct Lanes {
    Session *session; /* borrowed */
    GradSum *sum;     /* borrowed */
    Loader *loader;   /* NULL until lanes_load */
    int64_t count;
    LaneResult *results; /* [count] */
    Together together;
} Lanes;

/* `session` and `sum` must outlive the lanes. Local. */
Status lanes_open(Lanes *lanes, Session *session, GradSum *sum);
void lanes_close(Lanes *lanes); /* accepts a zeroed struct */

/* As stepper_load. */
Status lanes_load(Lanes *lanes, int64_t first, int64_t end);

/* Lanes of this rank that have images in `step`. */
int lanes_active(const Lanes *lanes, int64_t step);

/* Computes the lanes: their gradients and statistics are then in the sum, the rest in *step.
 * Collective where they advance together, else Local. */
Status lanes_compute(Lanes *lanes, LanesStep *step);

#endif
