/* norm_compare: an op's passes on a device against float64, by the error in the norm: what a bound
 * on sums of rounded products can be stated for. */
#ifndef TESTS_OPS_NORM_COMPARE_H
#define TESTS_OPS_NORM_COMPARE_H

#include <stddef.h>

#include "op_run.h"

struct CMUnitTest;

/* Bounds; 0: not compared. */
typedef struct NormBounds {
    double forward, input, weights, bias;
} NormBounds;

/* Looks at an op on the device before it runs; fails the test if it is not the one that is meant.
 */
typedef void (*LookAtOp)(const OpCase *row, const OpRun *op);

/* Forward, and backward where the row has it, on one device; fails the test if they end badly.
 * `look` may be NULL. The result is the caller's to free. */
void norm_run(Device *device, const OpCase *row, const OpData *data, LookAtOp look,
              OpResult *result);

/* Prints `error`, and fails the test where it is above the bound. */
void norm_judge(const OpCase *row, const char *what, double error, double bound);

/* The same of the norm of the error over the norm of what is expected. */
void norm_check(const OpCase *row, const char *what, const double *found, const double *expected,
                int64_t count, double bound);

/* Runs forward and backward on a device, prints each error against `expected`, and fails the cmocka
 * test where one is above its bound. */
void norm_against(Device *device, const OpCase *row, const OpData *data, const OpResult *expected,
                  const NormBounds *bounds, LookAtOp look);

/* Rounds the data to bfloat16, and does that against what `ref` makes of them. */
void norm_compare(Device *device, Device *ref, const OpCase *row, OpData *data,
                  const NormBounds *bounds, LookAtOp look);

/* Makes data for the row, and compares so. */
void norm_compare_row(Device *device, Device *ref, const OpCase *row, const NormBounds *bounds,
                      LookAtOp look);

/* Runs tests of our own code in a precision with both devices open, or prints SKIP where this
 * processor computes by other code in it: main's exit code. TEST_ONLY in the environment: the tests
 * of this name alone. */
int norm_tests(const char *name, Precision precision, const struct CMUnitTest *tests, size_t count,
               Device **cpu, Device **ref);

#endif
