/* op_table: the shapes each layer kind is tested with, one table for all backends.
 *
 * A row is small unless it says `large`: then it is too slow for finite differences, and there to
 * reach the code a backend has for real sizes (blocked layouts, Winograd, whole batches). */
#ifndef TESTS_OPS_OP_TABLE_H
#define TESTS_OPS_OP_TABLE_H

#include "lockstep/device.h"
#include "tolerance.h"

/* What the inputs of a row are like. */
typedef enum OpDraw {
    DRAW_UNIFORM,  /* in [-1, 1) */
    DRAW_OFF_ZERO, /* the same, but none near 0 */
    DRAW_OFF_SIX,  /* in [-8, 8), but none near 0 or 6 */
    DRAW_DISTINCT, /* no two alike, in [-2, 2) */
    DRAW_CHANNELS, /* channels of different means and spreads */
    DRAW_LOGITS    /* in [-4, 4) */
} OpDraw;

typedef struct OpCase {
    const char *name; /* unique: the row's data are drawn from it */
    /* The layer's line of model text; inputs behind the first are called b, c ... */
    const char *text;
    OpDraw draw;
    OpTolerance tolerance;
    Shape in; /* n is the batch */
    /* Of the inputs behind the first, their n left out; zeroed: as the first. */
    Shape in_behind[LAYER_INPUTS_MAX - 1];
    bool same; /* all inputs are the first's tensor; draws and gradients are that one's alone */
    bool add;  /* the sum with a second input is fused behind it */
    bool relu;
    bool evaluation; /* forward alone, as planned for evaluation */
    bool image;      /* the input is the program's image: a layout of its own, and no gradient */
    bool ties;       /* the input takes few values, so that many are equal */
    bool mixed;      /* softmax_ce: images have second labels, some of them */
    bool given_mask; /* dropout: the mask comes from LaneRun */
    bool large;
    GradMode grad_in[LAYER_INPUTS_MAX]; /* with all NONE a row gets ASSIGN, unless `image` */
} OpCase;

/* All rows. */
extern const OpCase op_table[];
extern const int op_table_count;

LayerKind op_case_kind(const OpCase *row);
const LayerType *op_case_type(const OpCase *row);

/* Inputs of a row's op: those of the layer, and one where a sum is fused behind it. */
int op_case_inputs(const OpCase *row);

/* Those of them that are tensors of their own: one in a row of `same`. */
int op_case_tensors(const OpCase *row);

/* The shape of input k in [0, op_case_inputs). */
Shape op_case_shape(const OpCase *row, int k);

/* The layer of a row, as the parser of model text reads it. */
Status op_case_layer(const OpCase *row, Layer *layer);

#endif
