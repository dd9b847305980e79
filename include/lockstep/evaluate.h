/* evaluate: accuracy, loss and confusion counts of a set, bit-equal at any rank count. */
#ifndef LOCKSTEP_EVALUATE_H
#define LOCKSTEP_EVALUATE_H

#include "lockstep/engine.h"
#include "lockstep/input.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an evaluation counted. A model may have more outputs than there are classes: an image for
 * which the largest is none of a class counts as wrong, and in no column of `confusion`. */
typedef struct EvalResult {
    int64_t images, correct;
    double loss, accuracy; /* mean loss; correct / images */
    int64_t classes;
    int64_t *class_images; /* [classes] images of each */
    int64_t *confusion;    /* [classes][classes]: [true][predicted] */
    int64_t *counts;       /* owns both */
    /* Of each image, in the set's order; owned: */
    int32_t *label, *predicted; /* [images] */
    float *probability;         /* [images] of `predicted`, by softmax */
} EvalResult;

/* Share of the images of a class that were recognised; 0 where there are none. Local. */
double eval_class_accuracy(const EvalResult *result, int64_t label);

/* Runs every batch of this rank on its compute threads and sums over ranks: losses in fixed point,
 * counts as integers. With `tta` loss and prediction are those of the mean of the logits of several
 * images of each record. `result` is zeroed or that of an earlier evaluation. Collective; a rank's
 * own failure is agreed on. */
Status evaluate(Engine *engine, Comm *comm, const EvalSet *set, const Augment *augment, Tta tta,
                EvalResult *result);
/* How many images stand for each record then; 1 without. Local. */
int evaluate_views(Tta tta);

/* Of a set that is this rank's alone: what softmax gives each of the model's outputs
 * (evaluate_outputs: at least as many as classes) for each image, probability[records][outputs].
 * Local. */
int64_t evaluate_outputs(const Engine *engine);
Status evaluate_probabilities(Engine *engine, const EvalSet *set, const Augment *augment, Tta tta,
                              double *probability);

void eval_result_free(EvalResult *result); /* accepts a zeroed struct; Local */

#ifdef __cplusplus
}
#endif
#endif
