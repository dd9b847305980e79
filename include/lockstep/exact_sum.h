/* exact_sum: fixed-point sums whose value does not depend on the order of the terms. Local.
 *
 * A term x is turned into the integer round(x * 2^k); integers are summed in int64, which is
 * associative, so ring, tree, rank count and thread timing drop out. A term must be below `bound`
 * in size; `terms` of them must not overflow: k + log2(bound) + ceil(log2(terms)) <= 62. */
#ifndef LOCKSTEP_EXACT_SUM_H
#define LOCKSTEP_EXACT_SUM_H

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

/* round-to-nearest-even(x * scale), or 0 with *bad incremented where x is NaN or not below bound.
 */
int64_t fixed_from(FixedPoint format, double x, int64_t *bad);

/* The value of a sum. */
double fixed_value(FixedPoint format, int64_t sum);

#ifdef __cplusplus
}
#endif
#endif
