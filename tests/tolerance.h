/* tolerance: how far results may be apart, each with its reason.
 *
 * An error is measured as max |a - b| / max(rms(b), ERROR_FLOOR), over one tensor: relative to the
 * tensor's typical element, since an element of a sum that cancels has no digits of its own. The
 * tests' data are of order 1. */
#ifndef TESTS_TOLERANCE_H
#define TESTS_TOLERANCE_H

#include <math.h>
#include <stdint.h>

#include "lockstep/layer.h"

/* Below it, a tensor counts as zero: what is left is rounding of terms of order 1. */
#define ERROR_FLOOR 1e-3

/* Central differences in float64 with step h = 1e-5: the error of the method is h^2 = 1e-10 times
 * third derivatives, of rounding 1e-16 / h = 1e-11 times the number of terms. */
#define TOL_FINITE_DIFFERENCE 1e-7

/* Sums of squares over one chunk of 4096 in double, in another order: 4096 * 2^-53 at the very
 * worst. */
#define TOL_NORM 1e-12

/* A fp32 backend against ref in float, which differs by a rounding (2^-24 = 6e-8) or more: one op
 * on equal inputs. `forward` is of outputs, the other of gradients. */
static inline double tolerance_op(LayerKind kind, bool forward) {
    switch (kind) {
    case LAYER_RELU:    /* choose and copy: the same bits */
    case LAYER_DROPOUT: /* one multiplication by the same float: the same bits */
    case LAYER_ADD:     /* one addition: the same bits */
        return 0;
    case LAYER_MAXPOOL: /* copies; in backward, overlapping windows are summed in another order */
        return forward ? 0 : 1e-6;
    case LAYER_SCALE: /* the factor is rounded to float before or after the multiplication */
        return 1e-6;
    case LAYER_AVGPOOL:    /* up to 10^2 terms that cancel, summed in float */
    case LAYER_GELU:       /* erf by a polynomial of oneDNN, absolute error below 1e-6 */
    case LAYER_SOFTMAX_CE: /* exp and log in float, sums over the classes */
        return 5e-6;
    case LAYER_LINEAR: /* dot products of up to 10^3 terms in float: rounding grows as its root */
        return 1e-5;
    case LAYER_BN: /* means over 10^4 values in float, of channels whose mean exceeds their spread
                    */
        return 3e-5;
    case LAYER_CONV: /* dot products of up to 10^4 terms; Winograd adds and subtracts inputs first,
                        which costs it a digit */
        return 5e-5;
    default:
        return 0;
    }
}

/* The same in bf16, of inputs that it holds exactly: rounding to 8 bits moves an element that is up
 * to eight times as large as the typical one by 2^-9 of its size; gradients that are added are
 * rounded twice. Not for kinds that multiply inputs, which round more. */
static inline double tolerance_op_bf16(LayerKind kind, bool forward) {
    (void)kind;
    return forward ? 0x1p-6 : 0x1p-5;
}

/* The error of a against b; NaN anywhere gives NaN (compare with !(error <= tolerance)). */
static inline double tolerance_error(const double *a, const double *b, int64_t count) {
    double squares = 0, worst = 0;
    for (int64_t i = 0; i < count; i++) {
        double off = fabs(a[i] - b[i]);
        squares += b[i] * b[i];
        worst = off > worst || isnan(off) ? off : worst;
        if (isnan(worst))
            return worst;
    }
    double rms = count > 0 ? sqrt(squares / (double)count) : 0;
    return worst / (rms > ERROR_FLOOR ? rms : ERROR_FLOOR);
}

/* Whole networks against PyTorch in float64, which sums in another order. In double: rounding
 * through some ten layers and five steps. In float: the same with 6e-8 for 1e-16, amplified by
 * batch norm over few values; five steps feed each other's errors. Adam divides a gradient by its
 * own size: its error there is relative to the element, which is why elements with next to no
 * gradient are left out. */
#define TOL_GOLDEN_DOUBLE 1e-11
#define TOL_GOLDEN_FLOAT  5e-4

/* A few steps of training whose sums over ranks travel as bfloat16, against float: the sum of a
 * rank and each addition are rounded by up to 2^-9 of an element; the largest of a tensor is some
 * five times its root mean square, and momentum keeps the errors of earlier steps. tests/simgpu
 * reads the number from here. */
#define TOL_BF16_SUM 0.1

#endif
