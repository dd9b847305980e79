/* train_eval: what a training run is evaluated for, and what follows: the best, the history, the
 * plateau, and whether it has had enough (early stopping, the target). */
#ifndef LOCKSTEP_RUN_TRAIN_EVAL_H
#define LOCKSTEP_RUN_TRAIN_EVAL_H

#include "resume.h"
#include "training.h"

/* The scheduled evaluation, and what follows from it. Collective. */
Status train_evaluate_epoch(Train *run);

/* Evaluates the test set where the last step has not; then, where the recipe augments it, once
 * more. Collective, agreed. */
Status train_evaluate_end(Train *run);

/* Whether the state that was loaded is the run's end, by the patience and target of now.
 * Collective, agreed. */
Status train_settle_end(Train *run, const Resume *resume);

#endif
