/* cpu/flat: work on ranges of the flat buffers: conversion to fixed point, native sums, partial
 * norms. Bound by memory: each makes one pass. (The optimizers: update.c.)
 *
 * Work is cut into spans of SPAN elements, copied into local arrays: loops of constant length over
 * arrays that cannot overlap become whole vectors in any compiler. The last span of a range copies
 * fewer elements, with zeros behind them. The conversion from double to int64, which only AVX-512DQ
 * has as an instruction, is spelt out in operations that every instruction set has on vectors. */
#include <math.h>
#include <string.h>

#include "flat.h"
#include "gradient.h"

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

/* The format of a run of elements of one parameter. */
typedef struct Grid {
    double scale, bound; /* of an element in units of 2^shift, and of its size */
    int shift;
} Grid;

/* As fixed_span; of the sizes of good values the largest go to peak[], as bits. */
SPAN_FN int64_t shifted_span(size_t n, const float *value, Grid grid, bool add, int64_t *sum,
                             int32_t *low, int64_t peak[SPAN]) {
    float x[SPAN] = {0};
    int64_t total[SPAN] = {0}, good = 0;
    int32_t narrow[SPAN];
    memcpy(x, value, n * sizeof *x);
    if (add)
        memcpy(total, sum, n * sizeof *total);
    for (int i = 0; i < SPAN; i++) {
        double wide = (double)x[i];
        int64_t size = bits_of(fabs(wide));
        int64_t below = (int64_t)((uint64_t)(size - bits_of(grid.bound)) >> 63); /* 0 or 1 */
        int64_t units = nearest_integer(double_of(bits_of(wide * grid.scale) & -below));
        total[i] += (int64_t)((uint64_t)units << grid.shift);
        size &= -below;
        peak[i] = peak[i] > size ? peak[i] : size;
        good += below;
    }
    memcpy(sum, total, n * sizeof *total);
    if (low) {
        for (int i = 0; i < SPAN; i++)
            narrow[i] = (int32_t)(total[i] >> grid.shift);
        memcpy(low, narrow, n * sizeof *narrow);
    }
    return SPAN - good;
}

/* A run of elements of one parameter. */
CLONES static int64_t shifted_range(int64_t count, const float *value, Grid grid, bool add,
                                    int64_t *sum, int32_t *low, float *largest) {
    int64_t i = 0, bad = 0, peak[SPAN] = {0}, most = 0;
    for (; i + SPAN <= count; i += SPAN)
        bad += shifted_span(SPAN, value + i, grid, add, sum + i, low ? low + i : NULL, peak);
    bad += shifted_span((size_t)(count - i), value + i, grid, add, sum + i, low ? low + i : NULL,
                        peak);
    for (int s = 0; s < SPAN; s++)
        most = peak[s] > most ? peak[s] : most;
    if (double_of(most) > (double)*largest)
        *largest = (float)double_of(most); /* a float already */
    return bad;
}

/* Where the run of elements of one parameter ends that element i is of. */
static int64_t run_end(const Shifts *shifts, int64_t i, int64_t count) {
    int64_t block = i / SHIFT_BLOCK, blocks = (count + SHIFT_BLOCK - 1) / SHIFT_BLOCK;
    int32_t param = shifts->param[block];
    while (block < blocks && shifts->param[block] == param)
        block++;
    return block < blocks ? block * SHIFT_BLOCK : count;
}

Status cpu_to_shifted(Stream *stream, int64_t *sum, int32_t *low, const void *value, int64_t count,
                      const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                      void *peak) {
    (void)stream;
    for (int64_t i = 0, end; i < count; i = end) {
        int32_t param = shifts->param[i / SHIFT_BLOCK];
        int shift = shifts->shift[param];
        Grid grid = {.scale = ldexp(scale, -shift), .bound = bound, .shift = shift};
        end = run_end(shifts, i, count);
        *bad += shifted_range(end - i, (const float *)value + i, grid, add, sum + i,
                              low ? low + i : NULL, (float *)peak + param);
    }
    return ST_OK;
}

CLONES static void widen_range(int64_t count, const int32_t *low, int shift, int64_t *sum) {
    for (int64_t i = 0; i < count; i++)
        sum[i] = (int64_t)((uint64_t)(int64_t)low[i] << shift);
}

Status cpu_widen(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                 const Shifts *shifts) {
    (void)stream;
    for (int64_t i = 0, end; i < count; i = end) {
        end = run_end(shifts, i, count);
        widen_range(end - i, low + i, shifts->shift[shifts->param[i / SHIFT_BLOCK]], sum + i);
    }
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

/* Adds the squares of n gradients into SPAN running sums. */
SPAN_FN void squares_span(size_t n, const int64_t *fixed, const float *real, double scale,
                          double *sum) {
    double g[SPAN];
    gradient_span(n, fixed, real, scale, g);
    for (int i = 0; i < SPAN; i++)
        sum[i] += g[i] * g[i];
}

/* SPAN running sums, then those in order. */
CLONES static double sum_squares(int64_t count, const int64_t *fixed, const float *real,
                                 double scale) {
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

double cpu_squares(int64_t count, const int64_t *fixed, const float *real, double scale) {
    return sum_squares(count, fixed, real, scale);
}

Status cpu_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                int64_t count, double scale) {
    (void)stream;
    const float *real = gradient;
    for (int64_t begin = 0; begin < count; begin += NORM_CHUNK) {
        int64_t chunk = count - begin < NORM_CHUNK ? count - begin : NORM_CHUNK;
        partial[begin / NORM_CHUNK] =
            cpu_squares(chunk, fixed ? fixed + begin : NULL, fixed ? NULL : real + begin, scale);
    }
    return ST_OK;
}
