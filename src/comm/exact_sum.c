/* exact_sum: conversion to and from fixed point. See exact_sum.h.
 *
 * scale and unit are powers of two, so both products are exact; the only roundings are llrint's
 * (to nearest, ties to even: the mode every thread starts with) and that of int64 to double. */
#include "lockstep/exact_sum.h"

#include <math.h>

/* Digits left for k + log2(bound) + ceil(log2(terms)): the sum stays below 2^62. */
enum { SUM_DIGITS = 62 };

static int ceil_log2(int64_t n) {
    int digits = 0;
    while (((int64_t)1 << digits) < n)
        digits++;
    return digits;
}

static FixedPoint format_for(int bound_digits, int term_digits) {
    int k = SUM_DIGITS - bound_digits - term_digits;
    return (FixedPoint){
        .k = k, .scale = ldexp(1, k), .unit = ldexp(1, -k), .bound = ldexp(1, bound_digits)};
}

FixedPoint fixed_gradient(int64_t lanes) {
    return format_for(15, ceil_log2(lanes));
}

FixedPoint fixed_statistics(int64_t lanes) {
    return format_for(24, ceil_log2(lanes));
}

FixedPoint fixed_loss(void) {
    return format_for(14, 24);
}

int64_t fixed_from(FixedPoint format, double x, int64_t *bad) {
    /* Written so that NaN fails the comparison. */
    if (!(fabs(x) < format.bound)) {
        ++*bad;
        return 0;
    }
    return llrint(x * format.scale);
}

double fixed_value(FixedPoint format, int64_t sum) {
    return (double)sum * format.unit;
}

FixedPair fixed_pair(int64_t terms) {
    FixedPoint high = format_for(40, ceil_log2(terms));
    return (FixedPair){high, format_for(-high.k, ceil_log2(terms))};
}

void fixed_pair_from(FixedPair format, double x, int64_t pair[2], int64_t *bad) {
    int64_t before = *bad;
    pair[0] = fixed_from(format.high, x, bad);
    pair[1] = 0;
    if (*bad == before) /* the difference is exact, and at most half of high's unit */
        pair[1] = fixed_from(format.low, x - fixed_value(format.high, pair[0]), bad);
}

double fixed_pair_value(FixedPair format, const int64_t sum[2]) {
    return fixed_value(format.high, sum[0]) + fixed_value(format.low, sum[1]);
}

/* Bits of `value`, which is below 2^digits. */
static int digits_of(int64_t value) {
    int digits = 0;
    while (value >> digits > 0)
        digits++;
    return digits;
}

int fixed_shift(int64_t peak) {
    int over = digits_of(peak) + PEAK_HEADROOM - 31;
    return over > 0 ? over : 0;
}

/* A sum of terms is at most that of |x| 2^(k - shift), each half a unit more by its rounding; and
 * `largest` may be lower than what it stands for by half a unit a lane, too. */
bool fixed_fits(int shift, int64_t largest, int64_t lanes) {
    return (largest >> shift) + 1 + lanes <= INT32_MAX;
}

/* A sixteenth less each step: gradients that become smaller get their digits back soon, and a few
 * steps of small ones do not make the next large one overflow. */
int64_t fixed_follow(int64_t peak, int64_t largest) {
    int64_t left = peak - peak / 16;
    return largest > left ? largest : left;
}
