/* cpu/softmax: see softmax.h. Rows are cut into spans, as in flat.c: loops of constant length over
 * arrays that cannot overlap become whole vectors. exp is our own: libm's takes one number at a
 * time, and so would a loop with a choice before its last product. */
#include "softmax.h"

#include <math.h>
#include <string.h>

#include "clones.h"

enum { SPAN = 16 };

#define SPAN_FN static inline __attribute__((always_inline))

/* x[SPAN] = from[n], and `rest` behind it. */
SPAN_FN void load(const float *from, int64_t n, float rest, float *x) {
    for (int i = 0; i < SPAN; i++)
        x[i] = rest;
    memcpy(x, from, (size_t)n * sizeof *x);
}

/* exp(x) for x <= 0, to some 2^-23 of itself: 2^n exp(r) with the integer n nearest to x / ln 2 and
 * |r| <= ln 2 / 2, where Taylor's terms behind the seventh are below 2^-27. 0 below -86, where 2^n
 * would leave the normal numbers; NaN of NaN. ln 2 is cut in two, the first so short that n times
 * it is exact; adding 1.5 2^23 rounds to an integer, which then stands in the low bits. Below -86
 * it is anything, which `floored` makes 0. */
SPAN_FN float exp_of(float x) {
    float shifted = x * 0x1.715476p+0f + 0x1.8p23f, n = shifted - 0x1.8p23f;
    float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
    float value = 1 / 5040.0f;
    value = value * r + 1 / 720.0f;
    value = value * r + 1 / 120.0f;
    value = value * r + 1 / 24.0f;
    value = value * r + 1 / 6.0f;
    value = value * r + 0.5f;
    value = value * r + 1;
    value = value * r + 1;
    uint32_t bits;
    float power;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    memcpy(&power, &bits, sizeof power);
    return value * power;
}

SPAN_FN float floored(float x, float exp_of_x) {
    return x < -86 ? 0 : exp_of_x;
}

SPAN_FN void top_span(const float *row, int64_t n, float *top) {
    float x[SPAN];
    load(row, n, -INFINITY, x);
    for (int i = 0; i < SPAN; i++)
        top[i] = x[i] > top[i] ? x[i] : top[i];
}

SPAN_FN void exp_span(float *row, int64_t n, float top, float scale, float *sum) {
    float x[SPAN], power[SPAN];
    load(row, n, -INFINITY, x);
    for (int i = 0; i < SPAN; i++)
        x[i] = (x[i] - top) * scale;
    for (int i = 0; i < SPAN; i++)
        power[i] = exp_of(x[i]);
    for (int i = 0; i < SPAN; i++) {
        power[i] = floored(x[i], power[i]);
        sum[i] += power[i];
    }
    memcpy(row, power, (size_t)n * sizeof *power);
}

static float total_of(const float *sum) {
    float total = 0;
    for (int i = 0; i < SPAN; i++)
        total += sum[i];
    return total;
}

static CLONES void forward(float *row, int64_t n, float scale) {
    float lane[SPAN], top = -INFINITY;
    int64_t at = 0;
    load(row, 0, -INFINITY, lane);
    for (; at + SPAN <= n; at += SPAN)
        top_span(row + at, SPAN, lane);
    top_span(row + at, n - at, lane);
    for (int i = 0; i < SPAN; i++)
        top = lane[i] > top ? lane[i] : top;
    load(row, 0, 0, lane);
    for (at = 0; at + SPAN <= n; at += SPAN)
        exp_span(row + at, SPAN, top, scale, lane);
    exp_span(row + at, n - at, top, scale, lane);
    float share = 1 / total_of(lane);
    for (at = 0; at < n; at++)
        row[at] *= share;
}

SPAN_FN void dot_span(const float *a, const float *b, int64_t n, float *sum) {
    float x[SPAN], y[SPAN];
    load(a, n, 0, x);
    load(b, n, 0, y);
    for (int i = 0; i < SPAN; i++)
        sum[i] += x[i] * y[i];
}

static CLONES void backward(const float *share, float *grad, int64_t n, float scale) {
    float lane[SPAN];
    int64_t at = 0;
    load(share, 0, 0, lane);
    for (; at + SPAN <= n; at += SPAN)
        dot_span(share + at, grad + at, SPAN, lane);
    dot_span(share + at, grad + at, n - at, lane);
    float mean = total_of(lane);
    for (at = 0; at < n; at++)
        grad[at] = share[at] * (grad[at] - mean) * scale;
}

void softmax_row(float *row, int64_t n, float scale) {
    forward(row, n, scale);
}

void softmax_row_backward(const float *share, float *grad, int64_t n, float scale) {
    backward(share, grad, n, scale);
}
