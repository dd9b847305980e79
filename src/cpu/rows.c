/* cpu/rows: see rows.h. In spans of constant length, as flat.c: those become whole vectors. */
#include "rows.h"

#include <string.h>

#include "span.h"

SPAN_FN void widen_span(size_t n, const uint16_t *half, float *value) {
    uint16_t from[SPAN] = {0};
    float to[SPAN];
    memcpy(from, half, n * sizeof *from);
    for (int i = 0; i < SPAN; i++)
        to[i] = bf16_to_float(from[i]);
    memcpy(value, to, n * sizeof *to);
}

SPAN_FN void narrow_span(size_t n, const float *value, uint16_t *half) {
    float from[SPAN] = {0};
    uint16_t to[SPAN];
    memcpy(from, value, n * sizeof *from);
    for (int i = 0; i < SPAN; i++)
        to[i] = bf16_from_float(from[i]);
    memcpy(half, to, n * sizeof *to);
}

CLONES static void widen(int64_t n, const uint16_t *half, float *value) {
    int64_t i = 0;
    for (; i + SPAN <= n; i += SPAN)
        widen_span(SPAN, half + i, value + i);
    widen_span((size_t)(n - i), half + i, value + i);
}

CLONES static void narrow(int64_t n, const float *value, uint16_t *half) {
    int64_t i = 0;
    for (; i + SPAN <= n; i += SPAN)
        narrow_span(SPAN, value + i, half + i);
    narrow_span((size_t)(n - i), value + i, half + i);
}

const float *row_read(DType type, const void *row, int64_t n, float *room) {
    if (type != DT_BF16)
        return row;
    widen(n, row, room);
    return room;
}

float *row_open(DType type, void *row, int64_t n, bool reads, float *room) {
    if (type != DT_BF16)
        return row;
    if (reads)
        widen(n, row, room);
    return room;
}

void row_close(DType type, void *row, int64_t n, const float *value) {
    if (type == DT_BF16)
        narrow(n, value, row);
    else if (value != row)
        memcpy(row, value, (size_t)n * sizeof *value);
}
