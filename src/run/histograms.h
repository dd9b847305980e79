/* histograms: how weights and gradients are spread, parameter by parameter, for TensorBoard
 * (--tensorboard.histograms). Rank 0. Local. */
#ifndef LOCKSTEP_RUN_HISTOGRAMS_H
#define LOCKSTEP_RUN_HISTOGRAMS_H

#include "lockstep/metrics.h"
#include "lockstep/stepper.h"

typedef struct Histograms Histograms;

/* Room for them. The session is borrowed. ST_INTERNAL. */
Status histograms_open(Session *session, Histograms **histograms);
void histograms_close(Histograms *histograms); /* accepts NULL */

/* After `step` steps, the last of which `stepper` made: its gradient, summed over lanes and ranks
 * and before any clipping, and the weights that came of it. ST_DEVICE, ST_CHECKPOINT. */
Status histograms_log(Histograms *histograms, const Stepper *stepper, int64_t step,
                      Metrics *metrics);

#endif
