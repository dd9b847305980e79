/* cpu/flat: work on ranges of the flat buffers: conversion to fixed point, native sums, partial
 * norms, and the optimizers. Bound by memory: each makes one pass.
 *
 * Work is cut into spans of SPAN elements, copied into local arrays: loops of constant length over
 * arrays that cannot overlap become whole vectors in any compiler. The last span of a range copies
 * fewer elements, with zeros behind them. The conversions between int64 and double, which only
 * AVX-512DQ has as instructions, are spelt out in operations that every instruction set has on
 * vectors. */
#include <math.h>
#include <string.h>

#include "flat.h"
#include "lockstep/update_math.h"
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

/* Adding 1.5 2^52 to a number below 2^51 in size rounds it to the nearest even integer, which then
 * stands in the low bits of the sum. */
#define ROUNDER 0x1.8p52

/* The nearest even integer of x below 2^62 in size, where x is a float times a power of two. Its
 * upper part, a multiple of 2^32 and so even, is split off exactly; the rest is below 2^32. */
static inline int64_t nearest_integer(double x) {
    double upper = x * 0x1p-32 + ROUNDER;
    double rest = (x - (upper - ROUNDER) * 0x1p32) + ROUNDER;
    int64_t high = (int64_t)((uint64_t)(bits_of(upper) - bits_of(ROUNDER)) << 32);
    return high + (bits_of(rest) - bits_of(ROUNDER));
}

/* (double)x. The halves are put into the mantissas of 2^84 (the upper one, its sign made an offset
 * of 2^63) and 2^52; the only rounding is in the last addition. */
static inline double nearest_double(int64_t x) {
    uint64_t bits = (uint64_t)x;
    double upper = double_of((int64_t)((bits >> 32) ^ UINT64_C(0x4530000080000000)));
    double lower = double_of((int64_t)((bits & 0xffffffff) | UINT64_C(0x4330000000000000)));
    return (upper - (0x1p84 + 0x1p63 + 0x1p52)) + lower;
}

/* One span of n elements. Returns how many of them are bad. Positive doubles compare as their bits
 * do, infinities and NaNs as the largest: so the test needs no branch. */
SPAN_FN int64_t fixed_span(size_t n, const float *value, double scale, double bound, bool add,
                           int64_t *sum) {
    float x[SPAN] = {0};
    int64_t total[SPAN] = {0}, good = 0;
    memcpy(x, value, n * sizeof *x);
    if (add)
        memcpy(total, sum, n * sizeof *total);
    for (int i = 0; i < SPAN; i++) {
        double wide = (double)x[i];
        uint64_t below = (uint64_t)(bits_of(fabs(wide)) - bits_of(bound)) >> 63; /* 0 or 1 */
        total[i] += nearest_integer(double_of(bits_of(wide * scale) & -(int64_t)below));
        good += (int64_t)below;
    }
    memcpy(sum, total, n * sizeof *total);
    return SPAN - good;
}

CLONES static int64_t fixed_range(int64_t count, const float *value, double scale, double bound,
                                  bool add, int64_t *sum) {
    int64_t i = 0, bad = 0;
    for (; i + SPAN <= count; i += SPAN)
        bad += fixed_span(SPAN, value + i, scale, bound, add, sum + i);
    return bad + fixed_span((size_t)(count - i), value + i, scale, bound, add, sum + i);
}

Status cpu_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                    double bound, bool add, int64_t *bad) {
    (void)stream;
    *bad += fixed_range(count, value, scale, bound, add, sum);
    return ST_OK;
}

SPAN_FN void add_span(size_t n, const float *value, float *sum) {
    float x[SPAN] = {0}, total[SPAN] = {0};
    memcpy(x, value, n * sizeof *x);
    memcpy(total, sum, n * sizeof *total);
    for (int i = 0; i < SPAN; i++)
        total[i] = total[i] + x[i];
    memcpy(sum, total, n * sizeof *total);
}

CLONES static void add_range(int64_t count, const float *value, float *sum) {
    int64_t i = 0;
    for (; i + SPAN <= count; i += SPAN)
        add_span(SPAN, value + i, sum + i);
    add_span((size_t)(count - i), value + i, sum + i);
}

Status cpu_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add) {
    (void)stream;
    if (add)
        add_range(count, value, sum);
    else
        memcpy(sum, value, (size_t)count * sizeof(float));
    return ST_OK;
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

/* Adds the squares of n gradients into SPAN running sums. */
SPAN_FN void squares_span(size_t n, const int64_t *fixed, const float *real, double scale,
                          double *sum) {
    double g[SPAN];
    gradient_span(n, fixed, real, scale, g);
    for (int i = 0; i < SPAN; i++)
        sum[i] += g[i] * g[i];
}

/* Sum of squares of one chunk: SPAN running sums, then those in order. */
CLONES static double squares(int64_t count, const int64_t *fixed, const float *real, double scale) {
    double sum[SPAN] = {0}, total = 0;
    for (int64_t i = 0; i < count; i += SPAN) {
        size_t n = count - i < SPAN ? (size_t)(count - i) : SPAN;
        const int64_t *fixed_here = fixed ? fixed + i : NULL;
        const float *real_here = fixed ? NULL : real + i;
        if (n == SPAN)
            squares_span(SPAN, fixed_here, real_here, scale, sum);
        else
            squares_span(n, fixed_here, real_here, scale, sum);
    }
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
        partial[begin / NORM_CHUNK] =
            squares(chunk, fixed ? fixed + begin : NULL, fixed ? NULL : real + begin, scale);
    }
    return ST_OK;
}

/* One span of n elements: gradient, update of its kind, moving average. */
SPAN_FN void update_span(size_t n, int64_t at, const Update *update, const UpdateTerms *terms,
                         const UpdateRange *range) {
    double exact[SPAN];
    float g[SPAN], w[SPAN] = {0}, m[SPAN] = {0}, v[SPAN] = {0}, e[SPAN] = {0};
    float *weight = (float *)range->weight + at;
    float *first = range->slot[0] ? (float *)range->slot[0] + at : NULL;
    float *second = range->slot[1] ? (float *)range->slot[1] + at : NULL;
    float *ema = range->ema ? (float *)range->ema + at : NULL;
    gradient_span(n, range->fixed ? range->fixed + at : NULL,
                  range->fixed ? NULL : (const float *)range->real + at, update->grad_scale, exact);
    for (int i = 0; i < SPAN; i++)
        g[i] = (float)exact[i];
    memcpy(w, weight, n * sizeof *w);
    if (first)
        memcpy(m, first, n * sizeof *m);
    if (second)
        memcpy(v, second, n * sizeof *v);
    if (update->kind == OPTIMIZER_SGD)
        for (int i = 0; i < SPAN; i++)
            update_sgd(terms, g[i], &w[i], &m[i]);
    else if (update->kind != OPTIMIZER_NONE)
        for (int i = 0; i < SPAN; i++)
            update_adam(terms, g[i], &w[i], &m[i], &v[i]);
    memcpy(weight, w, n * sizeof *w);
    if (first)
        memcpy(first, m, n * sizeof *m);
    if (second)
        memcpy(second, v, n * sizeof *v);
    if (ema) {
        memcpy(e, ema, n * sizeof *e);
        for (int i = 0; i < SPAN; i++)
            update_ema(terms, w[i], &e[i]);
        memcpy(ema, e, n * sizeof *e);
    }
}

CLONES static void update_range(const Update *update, const UpdateRange *range) {
    UpdateTerms terms = update_terms(update, range->decay);
    int64_t i = 0;
    for (; i + SPAN <= range->count; i += SPAN)
        update_span(SPAN, i, update, &terms, range);
    update_span((size_t)(range->count - i), i, update, &terms, range);
}

SPAN_FN void lookahead_span(size_t n, float alpha, float *slow, float *fast) {
    float s[SPAN] = {0}, f[SPAN] = {0};
    memcpy(s, slow, n * sizeof *s);
    memcpy(f, fast, n * sizeof *f);
    for (int i = 0; i < SPAN; i++)
        update_lookahead(alpha, &s[i], &f[i]);
    memcpy(slow, s, n * sizeof *s);
    memcpy(fast, f, n * sizeof *f);
}

CLONES static void lookahead_range(int64_t count, float alpha, float *slow, float *fast) {
    int64_t i = 0;
    for (; i + SPAN <= count; i += SPAN)
        lookahead_span(SPAN, alpha, slow + i, fast + i);
    lookahead_span((size_t)(count - i), alpha, slow + i, fast + i);
}

Status cpu_lookahead(Stream *stream, void *slow, void *fast, int64_t count, double alpha) {
    (void)stream;
    lookahead_range(count, (float)alpha, slow, fast);
    return ST_OK;
}

Status cpu_update(Stream *stream, const Update *update, const UpdateRange *range) {
    (void)stream;
    update_range(update, range);
    return ST_OK;
}
