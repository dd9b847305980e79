/* optimize: the last part of a step: from the sum over all lanes to new weights, the same on every
 * rank. */
#ifndef LOCKSTEP_ENGINE_OPTIMIZE_H
#define LOCKSTEP_ENGINE_OPTIMIZE_H

#include "grad_sum.h"
#include "lockstep/stepper.h"

/* Clips the gradient, updates weights, moving average and running statistics on the session's
 * compute threads, and sets the gradient norm of *result. norm_partial: room for
 * [flat / NORM_CHUNK + 1] where gradients are clipped, else NULL. Local. ST_DEVICE. */
Status optimize(Session *session, const GradSum *sum, double *norm_partial,
                const StepRequest *request, StepResult *result);

#endif
