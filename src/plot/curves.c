/* curves: lines over a common x axis. See plot.h. */
#include <math.h>

#include "frame.h"

enum { SERIES_MAX = 32, Y_TICKS = 6, X_TICKS = 8, BELOW = 46 };

typedef struct Range {
    double low, high;
} Range;

static void range_add(Range *range, double value) {
    if (!isfinite(value))
        return;
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

/* What the series span; [0, 1] where they have no point at all. */
static void ranges(const Curves *curves, Range *x, Range *y) {
    *x = *y = (Range){INFINITY, -INFINITY};
    for (int s = 0; s < curves->n_series; s++) {
        const Series *series = &curves->series[s];
        for (int64_t i = 0; i < series->n; i++) {
            double spread = series->spread ? series->spread[i] : 0;
            if (!isfinite(series->y[i]))
                continue;
            range_add(x, series->x[i]);
            range_add(y, series->y[i] - spread);
            range_add(y, series->y[i] + spread);
        }
    }
    if (curves->from_zero)
        range_add(y, 0);
    if (!(x->low <= x->high))
        *x = (Range){0, 1};
    if (!(y->low <= y->high))
        *y = (Range){0, 1};
}

static void draw_dot(Painter *painter, Point at, Ink ink) {
    Point ends[2] = {at, at};
    painter->line(painter, ends, 2, ink, 5, false);
}

/* A line of no length with round ends is a dot in both painters. */
static void draw_point(Painter *painter, const Series *series, int64_t i, const Axis *x,
                       const Axis *y) {
    Ink ink = (Ink)(INK_SERIES + series->colour);
    double at = axis_at(x, series->x[i]), spread = series->spread ? series->spread[i] : 0;
    Point bar[2] = {{at, axis_at(y, series->y[i] - spread)},
                    {at, axis_at(y, series->y[i] + spread)}};
    if (spread > 0)
        painter->line(painter, bar, 2, ink, 1.2, false);
    if (series->dots)
        draw_dot(painter, (Point){at, axis_at(y, series->y[i])}, ink);
}

/* Pieces of up to so many points; each begins with the last point of the one before. */
enum { PIECE = 512 };

static void draw_series(Painter *painter, const Series *series, const Axis *x, const Axis *y) {
    Ink ink = (Ink)(INK_SERIES + series->colour);
    Point points[PIECE];
    int64_t n = 0;
    for (int64_t i = 0; i <= series->n; i++) {
        bool here = i < series->n && isfinite(series->x[i]) && isfinite(series->y[i]);
        if (here) {
            points[n++] = (Point){axis_at(x, series->x[i]), axis_at(y, series->y[i])};
            draw_point(painter, series, i, x, y);
        }
        if (n > 0 && (!here || n == PIECE)) {
            if (n == 1)
                draw_dot(painter, points[0], ink);
            else
                painter->line(painter, points, n, ink, 2, series->dashed);
            points[0] = points[n - 1];
            n = here ? 1 : 0;
        }
    }
}

/* Above the axes, where no line comes; a word that would run into its neighbour is left out. */
static void draw_marks(Painter *painter, Box box, const Curves *curves, const Axis *x) {
    double free_from = box.x + text_width(curves->y_label, FONT_SMALL, false) + 10;
    for (int i = 0; i < curves->n_marks; i++) {
        const Mark *mark = &curves->marks[i];
        double at = axis_at(x, mark->x), half = text_width(mark->word, FONT_SMALL, false) / 2;
        Point ends[2] = {{at, box.y}, {at, box.y + box.h}};
        painter->line(painter, ends, 2, INK_MUTED, 1.2, true);
        double middle = fmin(fmax(at, free_from + half), box.x + box.w - half);
        if (middle - half < free_from - 0.01 || middle - half > at + 4)
            continue;
        draw_text(painter, middle, box.y - 12, INK_MUTED, ANCHOR_MIDDLE, FONT_SMALL, mark->word);
        free_from = middle + half + 10;
    }
}

/* Ticks of x end where the data does: a curve is as wide as its figure. */
static Axis x_axis(const Range *range, bool whole, Box box) {
    Ticks ticks = ticks_round(range->low, range->high, X_TICKS, whole);
    Axis axis = {.ticks = ticks, .from = box.x, .to = box.x + box.w};
    return axis;
}

void plot_curves(Painter *painter, Size size, const Curves *curves) {
    LegendEntry entries[SERIES_MAX];
    Range x_range, y_range;
    int n = curves->n_series < SERIES_MAX ? curves->n_series : SERIES_MAX;
    for (int s = 0; s < n; s++)
        entries[s] = (LegendEntry){.name = curves->series[s].name,
                                   .ink = (Ink)(INK_SERIES + curves->series[s].colour),
                                   .dashed = curves->series[s].dashed};
    double top = frame_head(painter, size, curves->title, entries, n > 1 ? n : 0) + 26;
    ranges(curves, &x_range, &y_range);
    Axis y = {.ticks = ticks_round(y_range.low, y_range.high, Y_TICKS, false)};
    double left = MARGIN + ticks_width(&y.ticks) + 7;
    Box box = {left, top, size.w - left - MARGIN - 8, size.h - top - BELOW};
    y.from = box.y + box.h;
    y.to = box.y;
    Axis x = x_axis(&x_range, curves->x_whole, box);
    draw_text(painter, MARGIN, box.y - 12, INK_MUTED, ANCHOR_START, FONT_SMALL, curves->y_label);
    axis_draw_y(painter, box, &y);
    axis_draw_x(painter, box, &x);
    frame_x_label(painter, box, curves->x_label);
    draw_marks(painter, box, curves, &x);
    for (int s = 0; s < curves->n_series; s++)
        draw_series(painter, &curves->series[s], &x, &y);
}
