/* tolerance: how far results may be apart, each with its reason.
 *
 * An error is measured as max |a - b| / max(rms(b), ERROR_FLOOR), over one tensor: relative to the
 * tensor's typical element, since an element of a sum that cancels has no digits of its own. The
 * tests' data are of order 1. */
#ifndef TESTS_TOLERANCE_H
#define TESTS_TOLERANCE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Below it, a tensor counts as zero: what is left is rounding of terms of order 1. */
#define ERROR_FLOOR 1e-3

/* Central differences in float64 with step h = 1e-5: the error of the method is h^2 = 1e-10 times
 * third derivatives, of rounding 1e-16 / h = 1e-11 times the number of terms. */
#define TOL_FINITE_DIFFERENCE 1e-7

/* Sums of squares over one chunk of 4096 in double, in another order: 4096 * 2^-53 at the very
 * worst. */
#define TOL_NORM 1e-12

/* Weights after three steps of Muon in float: five iterations multiply what is left of a direction
 * next to nothing, and the rounding in it, by up to 3.4445^5 = 480. */
#define TOL_MUON 2e-5

/* And of LARS or LAMB: some twenty roundings an element, and norms that are summed in double. */
#define TOL_LAYERWISE 2e-6

/* One op on equal inputs: a fp32 backend against ref in float, which differs by a rounding (2^-24 =
 * 6e-8) or more. By what is computed, not by kind: a row of the op table names its own. Each is at
 * least three times the largest error that oneDNN had over 40 draws of the data: what
 * build/tests/ops/test_cpu_vs_ref prints with TEST_ERRORS=1 and TEST_SEED=1
 * to 40.
 */
typedef struct OpTolerance {
    double forward, backward; /* of outputs; of gradients */
    bool products;            /* of two tensors, whose factors TF32 rounds */
    bool tiled;               /* a convolution that Winograd's algorithm may compute in bf16 */
    bool chained;             /* products of what is rounded in bf16 itself */
} OpTolerance;

/* Chooses, copies or rounds once: the same bits. */
#define TOL_OP_SAME_BITS                                                                           \
    { 0, 0, false, false, false }
/* Copies; in backward overlapping windows are summed in another order. */
#define TOL_OP_CHOICE                                                                              \
    { 0, 5e-6, false, false, false }
/* A factor is rounded to float before or after the multiplication. */
#define TOL_OP_ROUNDING                                                                            \
    { 1e-6, 1e-6, false, false, false }
/* Up to 10^2 terms that cancel, summed in float. */
#define TOL_OP_SHORT_SUM                                                                           \
    { 5e-6, 5e-6, false, false, false }
/* Up to 10^3 terms that cancel, in backward alone. */
#define TOL_OP_LONG_SUM                                                                            \
    { 1e-6, 1e-5, false, false, false }
/* erf by a polynomial of oneDNN, whose absolute error is below 1e-6; exp and log in float. */
#define TOL_OP_FUNCTION                                                                            \
    { 5e-6, 5e-6, false, false, false }
/* Dot products of up to 10^3 terms in float: rounding grows as its root. */
#define TOL_OP_PRODUCT                                                                             \
    { 3e-5, 1e-5, true, false, false }
/* exp of dot products of up to 10^2 terms, whose rounding it magnifies, and sums weighted by it. */
#define TOL_OP_SOFTMAX                                                                             \
    { 3e-5, 3e-5, false, false, false }
/* Products, their softmax, and products of that. */
#define TOL_OP_ATTENTION                                                                           \
    { 3e-5, 3e-5, true, false, true }
/* Means over 10^4 values in float, of channels whose mean exceeds their spread. */
#define TOL_OP_NORMALISATION                                                                       \
    { 1e-4, 1e-4, false, false, false }
/* The same of a single value, whose gradient is 0: what is left of terms of order 1 that cancel is
 * their rounding, 2^-24, times 1 / sqrt(eps) = 316, against ERROR_FLOOR; one of them is 0.019. */
#define TOL_OP_NOTHING_LEFT                                                                        \
    { 1e-4, 0.06, false, false, false }
/* Dot products of up to 10^4 terms; Winograd adds and subtracts inputs first, which costs it a
 * digit. */
#define TOL_OP_CONVOLUTION                                                                         \
    { 5e-5, 5e-5, true, false, false }
/* The same where the bias is added to what is rounded already: in bf16 twice, of elements that
 * behind a ReLU are up to seven times the typical one. */
#define TOL_OP_BIAS_APART                                                                          \
    { 5e-5, 5e-5, true, false, true }
/* The same of a shape that goes through Winograd in bf16 too. */
#define TOL_OP_TILED                                                                               \
    { 5e-5, 5e-5, true, true, false }

static inline double tolerance_op(const OpTolerance *tolerance, bool forward) {
    return forward ? tolerance->forward : tolerance->backward;
}

/* TF32 keeps 11 bits of a float, so rounding a factor moves it by at most 2^-11 of itself, and each
 * product of two by twice that. In a sum of products of random signs these errors add up like the
 * terms do, so against the sum's own size the error stays near 2^-11 however many terms there are;
 * the largest of 10^5 results is some five times that. Everything but products stays as in fp32. */
#define TF32_ROUNDING 0x1p-11
static inline double tolerance_tf32(const OpTolerance *tolerance, bool forward) {
    return tolerance->products ? 8 * TF32_ROUNDING : tolerance_op(tolerance, forward);
}

/* bfloat16 keeps 8 bits. The data of its tests are exact in it, so what is off is the rounding of a
 * result, at most 2^-8 of itself, or two where one is added to another; an element may be five
 * times the typical one. In attention shares and gradients of scores are rounded as well, three
 * times in all. Winograd also rounds sums of inputs and of weights, which then cancel: in the norm
 * it is off by up to 2.3 * 2^-8 (tests/ops/test_cpu_winograd.c), and the largest of 10^5 such
 * errors is some six to eight times the typical one. */
#define BF16_ROUNDING 0x1p-8
static inline double tolerance_bf16(const OpTolerance *tolerance, bool forward) {
    (void)forward;
    return (tolerance->tiled ? 24 : tolerance->chained ? 12 : 8) * BF16_ROUNDING;
}

/* A few steps of a whole net against ref. In fp32 each element of weights and gradients, as
 * TOL_GOLDEN_FLOAT.
 *
 * Where factors are rounded by a share e, the logits are off by about that, and a loss, a mean over
 * images, by no more than twice it. The gradient is off by more: a share of about e of the inputs
 * of each ReLU and each maximum changes sides, and whole terms of the gradient appear or vanish
 * with them, so that in the norm (over all parameters) it is off by the root of e times the layers
 * of that kind, here up to seven (tests/simgpu/every-op.yaml). Scripts read these numbers:
 * `tolerance NAME` of tests/lib.sh. */
#define TOL_RUN_FP32      1e-4
#define TOL_LOSS_TF32     0.001 /* 2 * 2^-11 */
#define TOL_LOSS_BF16     0.008 /* 2 * 2^-8 */
#define TOL_GRADIENT_TF32 0.058 /* sqrt(7 * 2^-11) */
#define TOL_GRADIENT_BF16 0.165 /* sqrt(7 * 2^-8) */

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

/* The same in the norm: what a few of many elements are off by counts as little as they do. */
static inline double tolerance_error_in_norm(const double *a, const double *b, int64_t count) {
    double off = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        squares += b[i] * b[i];
    }
    double floor = ERROR_FLOOR * sqrt((double)count), norm = sqrt(squares);
    return count > 0 ? sqrt(off) / (norm > floor ? norm : floor) : 0;
}

/* Whole networks against PyTorch in float64, which sums in another order. In double: rounding
 * through some ten layers and five steps. In float: the same with 6e-8 for 1e-16, amplified by
 * batch norm over few values; five steps feed each other's errors. Adam divides a gradient by its
 * own size: its error there is relative to the element, which is why elements with next to no
 * gradient are left out. */
#define TOL_GOLDEN_DOUBLE 1e-11
#define TOL_GOLDEN_FLOAT  5e-4

/* The recipes' whole networks in float, each tensor in the norm. They are deep, and have maxima
 * over windows: where two values nearly tie, or a ReLU's input is next to 0, rounding takes another
 * branch, and whole terms of a gradient appear or vanish with it; which, is another on each
 * processor. In densenet-bc-100-12 single elements of PyTorch's own float32 gradients (1.13, with
 * and without oneDNN) are off by half of a tensor's root mean square, in the norm a tensor
 * by 2.1e-2. Five steps feed each other's errors. In double they are held to TOL_GOLDEN_DOUBLE. */
#define TOL_GOLDEN_RECIPE 5e-2

/* A few steps of training whose sums over ranks travel as bfloat16, against float: the sum of a
 * rank and each addition are rounded by up to 2^-9 of an element; the largest of a tensor is some
 * five times its root mean square, and momentum keeps the errors of earlier steps. tests/simgpu
 * reads the number from here. */
#define TOL_BF16_SUM 0.1

#endif
