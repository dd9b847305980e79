/* cpu/norm_pass: see norm_pass.h. Of a span of channels a pass walks the map with sums in
 * registers. */
#include "norm_pass.h"

#include "span.h"

NormPass norm_pass(const Tensor *tensor, float *scratch) {
    NormPass pass = {.grid = row_grid(tensor)};
    for (int r = 0; r < NORM_ROWS; r++)
        pass.at[r] = scratch + r * tensor->shape.c;
    return pass;
}

/* Below: n channels of a block's rows, which begin at element `at`; `number` is the first channel's
 * place in arrays of numbers of each channel. */

SPAN_FN void moments_span(bool half, size_t n, const NormPass *pass, const void *x, int64_t at,
                          int64_t number, bool squares) {
    Span total = {{0}}, middle = {{0}};
    if (squares)
        middle = span_load(false, n, pass->at[SHIFT], number);
    for (int64_t i = 0; i < pass->grid.map; i++, at += pass->grid.row) {
        Span value = span_load(half, n, x, at);
        for (int c = 0; c < SPAN; c++) {
            float off = value.at[c] - middle.at[c];
            total.at[c] += squares ? off * off : off;
        }
    }
    span_store(false, n, pass->at[SUM], number, total, false);
}

CLONES static void moments(const NormPass *pass, const void *x, bool squares) {
    RowGrid grid = pass->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(
            grid.type, grid.row,
            moments_span(half, n, pass, x, b * grid.map * grid.row + k, b * grid.row + k, squares));
}

void norm_moments(const NormPass *pass, const void *x, bool squares) {
    moments(pass, x, squares);
}

SPAN_FN void powers_span(bool half, size_t n, const NormPass *pass, const void *x, int64_t at,
                         int64_t number) {
    Span middle = span_load(false, n, pass->at[SHIFT], number);
    Span total = {{0}}, squares = {{0}};
    for (int64_t i = 0; i < pass->grid.map; i++, at += pass->grid.row) {
        Span value = span_load(half, n, x, at);
        for (int c = 0; c < SPAN; c++) {
            float off = value.at[c] - middle.at[c];
            total.at[c] += off;
            squares.at[c] += off * off;
        }
    }
    span_store(false, n, pass->at[SUM], number, total, false);
    span_store(false, n, pass->at[SLOPE], number, squares, false);
}

CLONES static void powers(const NormPass *pass, const void *x) {
    RowGrid grid = pass->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(grid.type, grid.row,
                  powers_span(half, n, pass, x, b * grid.map * grid.row + k, b * grid.row + k));
}

void norm_powers(const NormPass *pass, const void *x) {
    powers(pass, x);
}

SPAN_FN void apply_span(bool half, size_t n, const NormPass *pass, const void *x, int64_t at,
                        const float *bias, int64_t number, void *y) {
    Span middle = span_load(false, n, pass->at[SHIFT], number);
    Span scale = span_load(false, n, pass->at[FACTOR], number);
    Span offset = span_load(false, n, bias, number);
    for (int64_t i = 0; i < pass->grid.map; i++, at += pass->grid.row) {
        Span value = span_load(half, n, x, at);
        for (int c = 0; c < SPAN; c++)
            value.at[c] = (value.at[c] - middle.at[c]) * scale.at[c] + offset.at[c];
        span_store(half, n, y, at, value, false);
    }
}

CLONES static void apply(const NormPass *pass, const void *x, const float *bias, void *y) {
    RowGrid grid = pass->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(
            grid.type, grid.row,
            apply_span(half, n, pass, x, b * grid.map * grid.row + k, bias, b * grid.row + k, y));
}

void norm_apply(const NormPass *pass, const void *x, const float *bias, void *y) {
    apply(pass, x, bias, y);
}

SPAN_FN void slopes_span(bool half, size_t n, const NormPass *pass, const void *x, const void *grad,
                         int64_t at, int64_t number) {
    Span middle = span_load(false, n, pass->at[SHIFT], number);
    Span scale = span_load(false, n, pass->at[FACTOR], number);
    Span total = {{0}}, normal = {{0}};
    for (int64_t i = 0; i < pass->grid.map; i++, at += pass->grid.row) {
        Span value = span_load(half, n, x, at), g = span_load(half, n, grad, at);
        for (int c = 0; c < SPAN; c++) {
            total.at[c] += g.at[c];
            normal.at[c] += g.at[c] * ((value.at[c] - middle.at[c]) * scale.at[c]);
        }
    }
    span_store(false, n, pass->at[SUM], number, total, false);
    span_store(false, n, pass->at[SLOPE], number, normal, false);
}

CLONES static void slopes(const NormPass *pass, const void *x, const void *grad) {
    RowGrid grid = pass->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(
            grid.type, grid.row,
            slopes_span(half, n, pass, x, grad, b * grid.map * grid.row + k, b * grid.row + k));
}

void norm_slopes(const NormPass *pass, const void *x, const void *grad) {
    slopes(pass, x, grad);
}

SPAN_FN void give_span(bool half, size_t n, const NormPass *pass, const void *x, const void *grad,
                       int64_t at, int64_t number, bool add, void *grad_x) {
    Span middle = span_load(false, n, pass->at[SHIFT], number);
    Span factor = span_load(false, n, pass->at[FACTOR], number);
    Span mean = span_load(false, n, pass->at[SUM], number);
    Span tilt = span_load(false, n, pass->at[SLOPE], number);
    Span scale = span_load(false, n, pass->at[SCALE], number);
    for (int64_t i = 0; i < pass->grid.map; i++, at += pass->grid.row) {
        Span value = span_load(half, n, x, at), g = span_load(half, n, grad, at);
        for (int c = 0; c < SPAN; c++)
            g.at[c] =
                (g.at[c] * scale.at[c] - mean.at[c] - (value.at[c] - middle.at[c]) * tilt.at[c]) *
                factor.at[c];
        span_store(half, n, grad_x, at, g, add);
    }
}

CLONES static void give(const NormPass *pass, const void *x, const void *grad, bool add,
                        void *grad_x) {
    RowGrid grid = pass->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(grid.type, grid.row,
                  give_span(half, n, pass, x, grad, b * grid.map * grid.row + k, b * grid.row + k,
                            add, grad_x));
}

void norm_give(const NormPass *pass, const void *x, const void *grad, bool add, void *grad_x) {
    give(pass, x, grad, add, grad_x);
}
