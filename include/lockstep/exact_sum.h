/* exact_sum: fixed-point sums whose value does not depend on the order of the terms. Local.
 *
 * A term x is turned into the integer round(x * 2^k); integers are summed in int64, which is
 * associative, so ring, tree, rank count and thread timing drop out. A term must be below `bound`
 * in size; `terms` of them must not overflow: k + log2(bound) + ceil(log2(terms)) <= 62.
 *
 * exact32. Sums of gradients that travel as int32 leave out the last `shift` digits of
 * fixed_gradient's format: a term is round(x * 2^(k - shift)), its sum stays an integer, and so
 * stays independent of order. Each parameter has a shift of its own, for its gradient has a size of
 * its own. It follows from the `peak` of the steps before, in units of 2^-k: the sum over lanes of
 * the largest size in each lane, which bounds the sum of any element, and which any number of ranks
 * comes to alike. The sums of a step whose own such sum does not fit travel as int64 instead, with
 * the same shift: so they are the same, and no more than bytes depends on how they travelled.
 *
 * Error. A lane's term is rounded by at most half a unit of 2^(shift - k), a sum of L lanes by L
 * halves. With the peak below 2^n, shift = max(0, n + PEAK_HEADROOM - 31): so relative to the peak
 * the unit is at most 2^(PEAK_HEADROOM - 30), and where shift is 0 nothing is lost to exact. */
#ifndef LOCKSTEP_EXACT_SUM_H
#define LOCKSTEP_EXACT_SUM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FixedPoint {
    int k;        /* binary digits behind the point */
    double scale; /* 2^k */
    double unit;  /* 2^-k */
    double bound; /* a power of two; a term not below it in size is "bad" */
} FixedPoint;

/* Gradients of `lanes` lanes: bound 2^15, k = 47 - ceil(log2 lanes). */
FixedPoint fixed_gradient(int64_t lanes);

/* Batch-norm statistics of `lanes` lanes, weighted by images: bound 2^24, k = 38 - ceil(log2
 * lanes). */
FixedPoint fixed_statistics(int64_t lanes);

/* Losses of up to 2^24 images, each below 2^14: k = 24. */
FixedPoint fixed_loss(void);

/* A double as two integers, the second for what the first leaves: the sums of both are as good as
 * exact for terms below 2^40, of which 2^(2 ceil(log2 terms) - 85) is the rounding. */
typedef struct FixedPair {
    FixedPoint high, low;
} FixedPair;

/* Sums of `terms` terms. */
FixedPair fixed_pair(int64_t terms);

/* As fixed_from, into pair[2]; and the value of the sums of pairs. */
void fixed_pair_from(FixedPair format, double x, int64_t pair[2], int64_t *bad);
double fixed_pair_value(FixedPair format, const int64_t sum[2]);

/* round-to-nearest-even(x * scale), or 0 with *bad incremented where x is NaN or not below bound.
 */
int64_t fixed_from(FixedPoint format, double x, int64_t *bad);

/* The value of a sum. */
double fixed_value(FixedPoint format, int64_t sum);

/* Digits that a peak may grow by from one step to the next before its sums no longer fit. */
enum { PEAK_HEADROOM = 3 };

/* A peak is a sum over lanes of terms below the bound. */
#define PEAK_MAX (INT64_C(1) << 62)

/* Digits to leave out of a parameter's sums after steps of that peak, 0 to 35. 0: nothing is known
 * (peak 0), or all is so small that the exact format itself fits. */
int fixed_shift(int64_t peak);

/* Whether the sums over `lanes` lanes fit into int32 at that shift, where `largest` is the sum over
 * lanes of the largest size in each. */
bool fixed_fits(int shift, int64_t largest, int64_t lanes);

/* The peak after a step: the step's own, or what is left of the one before. */
int64_t fixed_follow(int64_t peak, int64_t largest);

#ifdef __cplusplus
}
#endif
#endif
