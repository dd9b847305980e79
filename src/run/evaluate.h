/* evaluate: accuracy, loss and confusion counts of a set, bit-equal at any rank count. */
#ifndef LOCKSTEP_RUN_EVALUATE_H
#define LOCKSTEP_RUN_EVALUATE_H

#include "engine.h"
#include "input.h"

typedef struct EvalResult {
    int64_t images, correct;
    double loss, accuracy;                               /* mean loss; correct / images */
    int64_t confusion[DATASET_CLASSES][DATASET_CLASSES]; /* [true][predicted] */
} EvalResult;

/* Runs every batch of this rank on its compute threads and sums over ranks: losses in fixed point,
 * counts as integers. Collective; a rank's own failure is agreed on. */
Status evaluate(Engine *engine, Comm *comm, const EvalSet *set, const Augment *augment,
                EvalResult *result);

#endif
