/* op_compare: a backend against the reference backend in float, for every row of the op table that
 * the backend can compute: outputs, batch statistics, losses, predicted classes, and gradients of
 * inputs and parameters. With TEST_ERRORS in the environment it prints the errors it found, with
 * TEST_KIND it runs the rows of that kind of layer alone. */
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
    /* That a row may take, TEST_ROW_SECONDS in the environment in its place; 0: any. One that does
     * not end (a kernel that waits for what never comes) ends the process, which names it. */
    int seconds;
} OpBackend;

/* What goes on from now on, `name`, must end within that time, or be replaced by something else;
 * NULL: nothing does. */
void op_compare_limit(const char *name, int seconds);

/* Runs the rows, one test a kind: main's exit code. */
int op_compare(const OpBackend *backend);

#endif
