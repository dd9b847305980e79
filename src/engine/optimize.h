/* optimize: the last part of a step: from the sum over all lanes to new weights, the same on every
 * rank. */
#ifndef LOCKSTEP_ENGINE_OPTIMIZE_H
#define LOCKSTEP_ENGINE_OPTIMIZE_H

#include "grad_sum.h"
#include "lockstep/stepper.h"

/* What a step does, group by group. */
typedef struct Optimize {
    Session *session;     /* borrowed */
    Update *update;       /* [groups + 1] the constants of the step */
    bool *frozen;         /* [groups + 1] its parameters stay as they are in this step */
    bool any_frozen;      /* one of them */
    bool goes_back;       /* Lookahead: weights go back to the slow ones after this step, */
    double alpha;         /* and these follow by so much before */
    double *norm_partial; /* [chunks] where gradients are clipped, else NULL */
} Optimize;

/* Allocates for the session's model and groups. Local. */
Status optimize_open(Optimize *optimize, Session *session);
void optimize_close(Optimize *optimize); /* accepts a zeroed struct */

/* Before a step is computed: which groups are frozen, and all rates. Local. */
void optimize_begin(Optimize *optimize, const StepRequest *request);

/* Clips the gradient, updates weights, moving average and running statistics on the session's
 * compute threads, and sets the gradient norm of *result. Local. ST_DEVICE. */
Status optimize_step(Optimize *optimize, const GradSum *sum, StepResult *result);

/* Running statistics of a step that was not bad, on the host; `sent`: to the device as well. Local.
 * ST_DEVICE. */
Status optimize_running(const Optimize *optimize, const GradSum *sum, Stream *stream, bool sent);

/* Where the state of an optimizer is kept of what begins at `offset`; NULL each that it lacks. */
void optimize_slots(const Engine *engine, const Optimizer *optimizer, int64_t offset,
                    void *slot[UPDATE_SLOTS]);

#endif
