/* cpu/gradient: a span of the gradient, from its exact sum or its native one. The conversion from
 * int64 to double, which only AVX-512DQ has as an instruction, is spelt out in operations that
 * every instruction set has on vectors. Header only. */
#ifndef LOCKSTEP_CPU_GRADIENT_H
#define LOCKSTEP_CPU_GRADIENT_H

#include "span.h"

/* Bits of a double as an integer and back. */
static inline int64_t bits_of(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double double_of(int64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* (double)x. The halves are put into the mantissas of 2^84 (the upper one, its sign made an offset
 * of 2^63) and 2^52; the only rounding is in the last addition. */
static inline double nearest_double(int64_t x) {
    uint64_t bits = (uint64_t)x;
    double upper = double_of((int64_t)((bits >> 32) ^ UINT64_C(0x4530000080000000)));
    double lower = double_of((int64_t)((bits & 0xffffffff) | UINT64_C(0x4330000000000000)));
    return (upper - (0x1p84 + 0x1p63 + 0x1p52)) + lower;
}

/* n gradients, zeros behind them: g = gradient scale in double. `fixed` or `real` is set. */
SPAN_FN void gradient_span(size_t n, const int64_t *fixed, const float *real, double scale,
                           double *g) {
    if (fixed) {
        int64_t x[SPAN] = {0};
        memcpy(x, fixed, n * sizeof *x);
        for (int i = 0; i < SPAN; i++)
            g[i] = nearest_double(x[i]) * scale;
    } else {
        float x[SPAN] = {0};
        memcpy(x, real, n * sizeof *x);
        for (int i = 0; i < SPAN; i++)
            g[i] = (double)x[i] * scale;
    }
}

#endif
