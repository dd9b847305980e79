/* cpu/channels: see channels.h. */
#include "channels.h"

#include <string.h>

#include "rows.h"
#include "span.h"

Channels channels_of(const Tensor *tensor, int64_t first, int64_t count) {
    Shape s = tensor->shape;
    int layout = s.h * s.w == 1 ? LAYOUT_NHWC : tensor->layout;
    return (Channels){
        .type = tensor->dtype, .shape = s, .layout = layout, .first = first, .count = count};
}

int64_t channels_row(const Channels *channels) {
    switch (channels->layout) {
    case LAYOUT_NHWC:
        return channels->shape.c;
    case LAYOUT_BLOCKED8:
        return 8;
    case LAYOUT_BLOCKED16:
        return 16;
    default:
        return 1;
    }
}

static int64_t common_divisor(int64_t a, int64_t b) {
    return b == 0 ? a : common_divisor(b, a % b);
}

/* The most neighbouring channels that can go from one to the other at a time: every row of either
 * ends between two such runs. */
static int64_t common_run(const Channels *a, const Channels *b) {
    int64_t row_a = channels_row(a), row_b = channels_row(b);
    bool within_a = a->first / row_a == (a->first + a->count - 1) / row_a;
    bool within_b = b->first / row_b == (b->first + b->count - 1) / row_b;
    int64_t run = a->count;
    if (!within_a)
        run = common_divisor(common_divisor(run, row_a), a->first % row_a);
    if (!within_b)
        run = common_divisor(common_divisor(run, row_b), b->first % row_b);
    return run;
}

SPAN_FN void add_span(bool half, size_t n, const void *x, void *y, int64_t k) {
    span_store(half, n, y, k, span_load(half, n, x, k), true);
}

CLONES static void add_row(DType type, int64_t count, const void *x, void *y) {
    EACH_SPAN(type, count, add_span(half, n, x, y, k));
}

static void move(DType type, int64_t count, const void *x, bool add, void *y) {
    if (add)
        add_row(type, count, x, y);
    else
        memcpy(y, x, (size_t)count * dtype_size(type));
}

/* Channel c of those named, of the first pixel of image n. */
static void *place(const Channels *channels, const void *base, int64_t n, int64_t c) {
    return row_at(channels->type, base,
                  rule_index(channels->layout, channels->shape, n, channels->first + c, 0, 0));
}

void channels_copy(const Channels *from, const void *x, const Channels *to, void *y, bool add) {
    int64_t run = common_run(from, to), map = from->shape.h * from->shape.w;
    int64_t next_x = channels_row(from), next_y = channels_row(to);
    bool together = run == next_x && run == next_y; /* the runs of all pixels */
    for (int64_t n = 0; n < from->shape.n; n++)
        for (int64_t c = 0; c < from->count; c += run) {
            const char *in = place(from, x, n, c);
            char *out = place(to, y, n, c);
            for (int64_t i = 0; i < (together ? 1 : map); i++)
                move(to->type, together ? run * map : run, row_at(from->type, in, i * next_x), add,
                     row_at(to->type, out, i * next_y));
        }
}

void channels_clear(const Channels *to, void *y) {
    int64_t run = common_run(to, to), map = to->shape.h * to->shape.w, next = channels_row(to);
    for (int64_t n = 0; n < to->shape.n; n++)
        for (int64_t c = 0; c < to->count; c += run)
            for (int64_t i = 0; i < map; i++)
                memset(row_at(to->type, place(to, y, n, c), i * next), 0,
                       (size_t)run * dtype_size(to->type));
}

RowGrid row_grid(const Tensor *tensor) {
    Channels all = channels_of(tensor, 0, tensor->shape.c);
    int64_t row = channels_row(&all);
    return (RowGrid){.type = tensor->dtype,
                     .images = all.shape.n,
                     .blocks = all.shape.c / row,
                     .map = all.shape.h * all.shape.w,
                     .row = row};
}
