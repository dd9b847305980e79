/* cpu/flat: work on ranges of the flat buffers: conversion to fixed point, native sums, partial
 * norms, and the optimizers. Bound by memory: each makes one pass.
 *
 * Loops are cut into spans of SPAN elements, a constant that a compiler turns into whole vectors;
 * what is left over runs through the same text one by one. Element-wise arithmetic rounds the same
 * in both. The conversions between int64 and double, which only AVX-512DQ has as instructions, are
 * spelt out in operations that every instruction set has on vectors. */
#include <math.h>
#include <string.h>

#include "plan.h"
#include "lockstep/update.h"

enum { SPAN = 16 };

#define SPAN_FN static inline __attribute__((always_inline)) void

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

/* Adding 1.5 2^52 to a number below 2^51 in size rounds it to the nearest even integer, which then
 * stands in the low bits of the sum. */
#define ROUNDER 0x1.8p52

/* The nearest even integer of x below 2^62 in size, where x is a float times a power of two. Its
 * upper part, a multiple of 2^32 and so even, is split off exactly; the rest is below 2^32. */
static inline int64_t nearest_integer(double x) {
    double upper = x * 0x1p-32 + ROUNDER;
    double rest = (x - (upper - ROUNDER) * 0x1p32) + ROUNDER;
    return ((bits_of(upper) - bits_of(ROUNDER)) << 32) + (bits_of(rest) - bits_of(ROUNDER));
}

/* (double)x. The halves are put into the mantissas of 2^84 (the upper one, its sign made an offset
 * of 2^63) and 2^52; the only rounding is in the last addition. */
static inline double nearest_double(int64_t x) {
    uint64_t bits = (uint64_t)x;
    double upper = double_of((int64_t)((bits >> 32) ^ UINT64_C(0x4530000080000000)));
    double lower = double_of((int64_t)((bits & 0xffffffff) | UINT64_C(0x4330000000000000)));
    return (upper - (0x1p84 + 0x1p63 + 0x1p52)) + lower;
}

SPAN_FN fixed_span(int n, const float *restrict value, double scale, double bound, bool add,
                   int64_t *restrict sum, int64_t *restrict bad) {
    int64_t bad_here = 0;
    for (int i = 0; i < n; i++) {
        double x = (double)value[i];
        bool good = fabs(x) < bound; /* false for NaN */
        int64_t fixed = nearest_integer(good ? x * scale : 0.0);
        bad_here += good ? 0 : 1;
        sum[i] = (add ? sum[i] : 0) + fixed;
    }
    *bad += bad_here;
}

CLONES static void fixed_range(int64_t count, const float *value, double scale, double bound,
                               bool add, int64_t *sum, int64_t *bad) {
    int64_t i = 0, bad_here = 0;
    if (add)
        for (; i + SPAN <= count; i += SPAN)
            fixed_span(SPAN, value + i, scale, bound, true, sum + i, &bad_here);
    else
        for (; i + SPAN <= count; i += SPAN)
            fixed_span(SPAN, value + i, scale, bound, false, sum + i, &bad_here);
    fixed_span((int)(count - i), value + i, scale, bound, add, sum + i, &bad_here);
    *bad += bad_here;
}

Status cpu_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                    double bound, bool add, int64_t *bad) {
    (void)stream;
    fixed_range(count, value, scale, bound, add, sum, bad);
    return ST_OK;
}

SPAN_FN add_span(int n, const float *restrict value, float *restrict sum) {
    for (int i = 0; i < n; i++)
        sum[i] = sum[i] + value[i];
}

CLONES static void add_range(int64_t count, const float *value, float *sum) {
    int64_t i = 0;
    for (; i + SPAN <= count; i += SPAN)
        add_span(SPAN, value + i, sum + i);
    add_span((int)(count - i), value + i, sum + i);
}

Status cpu_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add) {
    (void)stream;
    if (add)
        add_range(count, value, sum);
    else
        memcpy(sum, value, (size_t)count * sizeof(float));
    return ST_OK;
}

/* Adds squares into SPAN running sums, element i into sum[i]. */
SPAN_FN squares_span(int n, const int64_t *restrict fixed, const float *restrict gradient,
                     double scale, double *restrict sum) {
    for (int i = 0; i < n; i++) {
        double g = (fixed != NULL ? nearest_double(fixed[i]) : (double)gradient[i]) * scale;
        sum[i] += g * g;
    }
}

/* Sum of squares of one chunk: SPAN running sums, then those in order. */
CLONES static double squares(int64_t count, const int64_t *fixed, const float *gradient,
                             double scale) {
    double sum[SPAN] = {0}, total = 0;
    int64_t i = 0;
    if (fixed != NULL)
        for (; i + SPAN <= count; i += SPAN)
            squares_span(SPAN, fixed + i, NULL, scale, sum);
    else
        for (; i + SPAN <= count; i += SPAN)
            squares_span(SPAN, NULL, gradient + i, scale, sum);
    squares_span((int)(count - i), fixed != NULL ? fixed + i : NULL,
                 fixed != NULL ? NULL : gradient + i, scale, sum);
    for (int s = 0; s < SPAN; s++)
        total += sum[s];
    return total;
}

Status cpu_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                int64_t count, double scale) {
    (void)stream;
    const float *real = gradient;
    for (int64_t begin = 0; begin < count; begin += NORM_CHUNK) {
        int64_t chunk = count - begin < NORM_CHUNK ? count - begin : NORM_CHUNK;
        partial[begin / NORM_CHUNK] = squares(chunk, fixed != NULL ? fixed + begin : NULL,
                                              fixed != NULL ? NULL : real + begin, scale);
    }
    return ST_OK;
}

/* ---- The optimizers: a gradient of a span, then one of three kinds, then the average ---- */

SPAN_FN gradient_span(int n, const int64_t *restrict fixed, const float *restrict real,
                      double scale, float *restrict g) {
    if (fixed != NULL)
        for (int i = 0; i < n; i++)
            g[i] = (float)(nearest_double(fixed[i]) * scale);
    else
        for (int i = 0; i < n; i++)
            g[i] = update_gradient_real(real[i], scale);
}

SPAN_FN sgd_span(int n, const UpdateTerms *terms, const float *restrict g, float *restrict w,
                 float *restrict m) {
    for (int i = 0; i < n; i++)
        update_sgd(terms, g[i], &w[i], &m[i]);
}

SPAN_FN adam_span(int n, const UpdateTerms *terms, const float *restrict g, float *restrict w,
                  float *restrict m, float *restrict v) {
    for (int i = 0; i < n; i++)
        update_adam(terms, g[i], &w[i], &m[i], &v[i]);
}

SPAN_FN ema_span(int n, const UpdateTerms *terms, const float *restrict w, float *restrict e) {
    for (int i = 0; i < n; i++)
        update_ema(terms, w[i], &e[i]);
}

/* Elements [at, at + n). */
SPAN_FN update_span(int n, int64_t at, const Update *update, const UpdateTerms *terms,
                    const UpdateRange *range) {
    float g[SPAN], no_slot[SPAN] = {0};
    float *weight = (float *)range->weight + at;
    float *first = range->slot[0] != NULL ? (float *)range->slot[0] + at : no_slot;
    gradient_span(n, range->fixed != NULL ? range->fixed + at : NULL,
                  range->fixed != NULL ? NULL : (const float *)range->real + at, update->grad_scale,
                  g);
    if (update->kind == OPTIMIZER_SGD)
        sgd_span(n, terms, g, weight, first);
    else
        adam_span(n, terms, g, weight, first, (float *)range->slot[1] + at);
    if (range->ema != NULL)
        ema_span(n, terms, weight, (float *)range->ema + at);
}

CLONES static void update_range(const Update *update, const UpdateRange *range) {
    UpdateTerms terms = update_terms(update, range->decay);
    int64_t i = 0;
    for (; i + SPAN <= range->count; i += SPAN)
        update_span(SPAN, i, update, &terms, range);
    update_span((int)(range->count - i), i, update, &terms, range);
}

Status cpu_update(Stream *stream, const Update *update, const UpdateRange *range) {
    (void)stream;
    update_range(update, range);
    return ST_OK;
}
