/* train_loop: the steps of a training run. It reads like the data flow: a step (lanes, sums over
 * ranks, optimizer), then what is due after it: metrics, evaluation, checkpoint. And what follows
 * steps that are not finite: the end, a step without an update, or a roll-back. */
#ifndef LOCKSTEP_RUN_TRAIN_LOOP_H
#define LOCKSTEP_RUN_TRAIN_LOOP_H

#include "training.h"

/* From the state's step to the run's end, or to where it has had enough or is asked to stop
 * (*stopped, before the end). Collective, agreed, but for a disk that does not answer. */
Status train_loop(Train *run, bool *stopped);

#endif
