/* op_compare: a backend against the reference backend in float, for every row of the op table that
 * the backend can compute: outputs, batch statistics, losses, predicted classes, and gradients of
 * inputs and parameters. With TEST_ERRORS in the environment it prints the errors it
 * found. */
#ifndef TESTS_OPS_OP_COMPARE_H
#define TESTS_OPS_OP_COMPARE_H

#include <stddef.h>

#include "lockstep/device.h"
#include "tolerance.h"

typedef struct OpBackend {
    const char *name; /* of the tests */
    Status (*open)(Device **device);
    double (*tolerance)(const OpTolerance *of_row, bool forward); /* as tolerance_op */
    int bits;    /* of a value that the data have, so that the backend holds them exactly; 0: all */
    bool rounds; /* the factors of products: convolutions must be off by more than in fp32 */
} OpBackend;

/* Runs the rows, one test a kind: main's exit code. */
int op_compare(const OpBackend *backend);

#endif
