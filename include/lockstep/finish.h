/* finish: the end of a step on a device that needs no word of the host's for it: from the sums over
 * all lanes, and the control words that were summed with them, to new weights. Header only. Local.
 *
 * What is the same in every step is in FinishPlan, so that the launches can be recorded; what
 * changes is in FinishTurn, which the device has in its memory before they run. */
#ifndef LOCKSTEP_FINISH_H
#define LOCKSTEP_FINISH_H

#include <stddef.h>

#include "lockstep/update.h"

/* Ranges begin at multiples of so many elements. */
enum { FINISH_BLOCK = 16 };

/* Where the control words are among those that were summed, and what the words of losses are in. */
typedef struct FinishWords {
    int bad[2]; /* the sums are good where both are 0 */
    int loss, images, weight;
    double loss_unit, loss_bound; /* a mean loss not below it in size is bad as well */
    double weight_one;            /* of the word `weight`: what the weight 1 is */
    bool weighted;                /* gradients are of sums over weights (StepResult.loss) */
} FinishWords;

/* Elements [begin, end) of the flat buffers, with one optimizer and weight decay. */
typedef struct FinishRange {
    int64_t begin, end;
    double decay;
    bool whole; /* of tensors that are updated as wholes */
} FinishRange;

/* A tensor of such a range (update_is_whole). */
typedef struct FinishWhole {
    int range;
    int64_t offset, rows, cols; /* in the flat buffers */
    OptimizerKind kind;
    int64_t muon_steps;
    bool muon_rescale;
} FinishWhole;

/* Host memory, copied, that names device memory, borrowed. */
typedef struct FinishPlan {
    int64_t count;            /* elements of the flat buffers */
    const int64_t *word;      /* device: what was summed with the gradient */
    FinishWords words;        /* which of them is what */
    const int64_t *fixed;     /* device [count]: the sum as integers, or NULL, */
    const void *real;         /* and as reals */
    double unit;              /* what an element of the sum is multiplied by, but for weights */
    double clip;              /* the gradient's largest norm; 0: any */
    void *weight, *ema;       /* device [count]; ema NULL: none */
    void *slot[UPDATE_SLOTS]; /* likewise */
    void *slow;               /* Lookahead's weights, likewise */
    int n_ranges;
    const FinishRange *range; /* [n_ranges] of all elements, in order */
    int n_wholes;
    const FinishWhole *whole;       /* [n_wholes] */
    int64_t running;                /* running statistics: elements */
    void *running_value;            /* device [running] */
    const int64_t *running_sum;     /* device [running]: sums of weighted batch statistics */
    const double *running_momentum; /* host [running] */
    double running_unit;            /* what these sums are multiplied by */
} FinishPlan;

/* A range in one step. */
typedef struct FinishTurn {
    Update update;  /* but for grad_scale; OPTIMIZER_NONE: what it has of wholes stays, too */
    unsigned slots; /* bit s: the optimizer has slot s */
    bool idle;      /* nothing is done */
    bool counted;   /* it counts in the gradient's norm */
    bool goes_back; /* Lookahead: back to the slow weights */
} FinishTurn;

#endif
