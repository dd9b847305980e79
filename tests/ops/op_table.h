/* op_table: the shapes each layer kind is tested with, one table for all backends.
 *
 * A row is small unless it says `large`: then it is too slow for finite differences, and there to
 * reach the code a backend has for real sizes (blocked layouts, Winograd, whole batches). */
#ifndef TESTS_OPS_OP_TABLE_H
#define TESTS_OPS_OP_TABLE_H

#include "lockstep/device.h"

typedef struct OpCase {
    LayerKind kind;
    const char *name; /* unique */
    union {
        ConvArgs conv;
        BnArgs bn;
        PoolArgs pool;
        LinearArgs linear;
        DropoutArgs dropout;
        ScaleArgs scale;
        LossArgs loss;
    } args;
    Shape in; /* n is the batch */
    bool add; /* the sum with a second input is fused behind it */
    bool relu;
    bool evaluation; /* forward alone, as planned for evaluation */
    bool image;      /* the input is the program's image: a layout of its own, and no gradient */
    bool ties;       /* the input takes few values, so that many are equal */
    bool given_mask; /* dropout: the mask comes from LaneRun */
    bool large;
    GradMode grad_in[LAYER_INPUTS_MAX]; /* with all NONE a row gets ASSIGN, unless `image` */
} OpCase;

/* All rows, ordered by kind. */
extern const OpCase op_table[];
extern const int op_table_count;

/* Inputs of a row's op: 1, or 2 where something is added. */
int op_case_inputs(const OpCase *row);

/* The layer of a row with its shapes and parameters inferred. */
Status op_case_layer(const OpCase *row, Layer *layer);

#endif
