/* cpu/span: loops of our own as whole vectors, whatever the compiler: a span of SPAN elements is
 * copied to a local array of floats, where loops have constant length and nothing overlaps. For
 * loops that walk activations pixel by pixel, with the channels of a span in registers; rows.h is
 * for runs of memory. Header only. */
#ifndef LOCKSTEP_CPU_SPAN_H
#define LOCKSTEP_CPU_SPAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "clones.h"
#include "lockstep/bf16.h"

#define SPAN_FN static inline __attribute__((always_inline))

enum { SPAN = 16 };

typedef struct Span {
    float at[SPAN];
} Span;

/* n floats, or with `half` bfloat16s, from element `first` of `from` on; zeros behind them. */
SPAN_FN Span span_load(bool half, size_t n, const void *from, int64_t first) {
    Span span = {{0}};
    uint16_t narrow[SPAN] = {0};
    if (!half) {
        memcpy(span.at, (const float *)from + first, n * sizeof(float));
        return span;
    }
    memcpy(narrow, (const uint16_t *)from + first, n * sizeof *narrow);
    for (int i = 0; i < SPAN; i++)
        span.at[i] = bf16_to_float(narrow[i]);
    return span;
}

/* Writes the first n, or with `add` their sum with what is there; bfloat16 to the nearest. */
SPAN_FN void span_store(bool half, size_t n, void *to, int64_t first, Span span, bool add) {
    uint16_t narrow[SPAN];
    if (add) {
        Span before = span_load(half, n, to, first);
        for (int i = 0; i < SPAN; i++)
            span.at[i] = before.at[i] + span.at[i];
    }
    if (!half) {
        memcpy((float *)to + first, span.at, n * sizeof(float));
        return;
    }
    for (int i = 0; i < SPAN; i++)
        narrow[i] = bf16_from_float(span.at[i]);
    memcpy((uint16_t *)to + first, narrow, n * sizeof *narrow);
}

#define SPAN_OF(is_half, width, statement)                                                         \
    {                                                                                              \
        const bool half = is_half;                                                                 \
        const size_t n = width;                                                                    \
        statement;                                                                                 \
    }

/* Length of the next span where so many elements are left. */
static inline int64_t span_length(int64_t left) {
    return left >= SPAN ? SPAN : left >= SPAN / 2 ? SPAN / 2 : left;
}

/* The statement for each span of `count` elements of `type`. In it k is the first element, n how
 * many (of a whole or half span a constant), and `half` whether they are bfloat16 (a constant). */
#define EACH_SPAN(type, count, statement)                                                          \
    for (int64_t k = 0, left; (left = (count)-k) > 0; k += span_length(left)) {                    \
        if (left >= SPAN && (type) == DT_F32)                                                      \
            SPAN_OF(false, SPAN, statement)                                                        \
        else if (left >= SPAN)                                                                     \
            SPAN_OF(true, SPAN, statement)                                                         \
        else if (left >= SPAN / 2 && (type) == DT_F32)                                             \
            SPAN_OF(false, SPAN / 2, statement)                                                    \
        else if (left >= SPAN / 2)                                                                 \
            SPAN_OF(true, SPAN / 2, statement)                                                     \
        else                                                                                       \
            SPAN_OF((type) == DT_BF16, (size_t)left, statement)                                    \
    }

#endif
