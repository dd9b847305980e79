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
