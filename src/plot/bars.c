/* bars: columns of parts, and bars with names. See plot.h. */
#include <math.h>
#include <stdio.h>

#include "frame.h"

enum { BELOW = 46 };

static double column_sum(const Stacks *stacks, int64_t i) {
    double sum = 0;
    for (int p = 0; p < stacks->n_parts; p++)
        sum += stacks->value[i * stacks->n_parts + p];
    return sum;
}

/* The names of as many columns as have room, evenly. */
static void name_columns(Painter *painter, Box box, const Stacks *stacks, double pitch) {
    char words[32];
    int64_t every = (int64_t)ceil(34 / pitch);
    for (int64_t i = 0; i < stacks->n; i++) {
        if ((int64_t)stacks->x[i] % every != 0 && stacks->n > 1)
            continue;
        snprintf(words, sizeof words, "%.0f", stacks->x[i]);
        draw_text(painter, box.x + ((double)i + 0.5) * pitch, box.y + box.h + 18, INK_MUTED,
                  ANCHOR_MIDDLE, FONT_SMALL, words);
    }
}

static void draw_column(Painter *painter, double x, double width, const Stacks *stacks, int64_t i,
                        const Axis *y) {
    double below = 0;
    for (int p = 0; p < stacks->n_parts; p++) {
        double value = stacks->value[i * stacks->n_parts + p];
        double from = axis_at(y, below), to = axis_at(y, below + value);
        if (from - to > 0.05)
            painter->fill(painter, (Box){x, to, width, from - to}, (Ink)(INK_SERIES + p), 1);
        below += value;
    }
}

void plot_stacks(Painter *painter, Size size, const Stacks *stacks) {
    LegendEntry entries[SERIES_INKS];
    double highest = 0;
    for (int p = 0; p < stacks->n_parts; p++)
        entries[p] = (LegendEntry){stacks->parts[p], (Ink)(INK_SERIES + p), false, true};
    for (int64_t i = 0; i < stacks->n; i++)
        highest = fmax(highest, column_sum(stacks, i));
    double top = frame_head(painter, size, stacks->title, entries, stacks->n_parts) + 26;
    Axis y = {.ticks = ticks_round(0, highest, 6, false)};
    double left = MARGIN + ticks_width(&y.ticks) + 7;
    Box box = {left, top, size.w - left - MARGIN, size.h - top - BELOW};
    Point base[2] = {{box.x, box.y + box.h}, {box.x + box.w, box.y + box.h}};
    double pitch = box.w / (double)(stacks->n > 0 ? stacks->n : 1);
    double width = fmin(0.7 * pitch, 56);
    y.from = box.y + box.h;
    y.to = box.y;
    draw_text(painter, MARGIN, box.y - 12, INK_MUTED, ANCHOR_START, FONT_SMALL, stacks->y_label);
    axis_draw_y(painter, box, &y);
    for (int64_t i = 0; i < stacks->n; i++)
        draw_column(painter, box.x + ((double)i + 0.5) * pitch - width / 2, width, stacks, i, &y);
    painter->line(painter, base, 2, INK_MUTED, 1, false);
    name_columns(painter, box, stacks, pitch);
    frame_x_label(painter, box, stacks->x_label);
}

void plot_bars(Painter *painter, Size size, const Bars *bars) {
    double top = frame_head(painter, size, bars->title, NULL, 0) + 10, left = 0, value_width = 52;
    char words[32], name[NAME_BYTES];
    for (int64_t i = 0; i < bars->n; i++)
        left = fmax(left, text_width(bars->names[i], FONT_SMALL, false));
    left = fmin(left, NAME_WIDTH) + MARGIN + 8;
    double width = size.w - left - value_width - MARGIN;
    double pitch = (size.h - top - 24 - MARGIN) / (double)bars->n, thick = fmin(0.66 * pitch, 20);
    for (int64_t i = 0; i < bars->n; i++) {
        double middle = top + ((double)i + 0.5) * pitch;
        frame_shorten(bars->names[i], FONT_SMALL, NAME_WIDTH, name, sizeof name);
        draw_text(painter, left - 8, middle + 4, INK_TEXT, ANCHOR_END, FONT_SMALL, name);
        painter->fill(painter, (Box){left, middle - thick / 2, width, thick}, INK_GRID, 0.6);
        if (!isfinite(bars->value[i]))
            continue;
        painter->fill(painter,
                      (Box){left, middle - thick / 2, width * bars->value[i] / bars->most, thick},
                      INK_SERIES, 1);
        snprintf(words, sizeof words, "%.*f", bars->decimals, bars->value[i]);
        draw_text(painter, size.w - MARGIN, middle + 4, INK_TEXT, ANCHOR_END, FONT_SMALL, words);
    }
    draw_text(painter, size.w - MARGIN, size.h - MARGIN, INK_MUTED, ANCHOR_END, FONT_SMALL,
              bars->x_label);
}
