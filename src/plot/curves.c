/* curves: lines over a common x axis. See plot.h. */
#include <math.h>
#include <string.h>

#include "frame.h"

enum { Y_TICKS = 6, X_TICKS = 8, BELOW = 46, APART = 5, CAP = 3 };

typedef struct Range {
    double low, high;
} Range;

static void range_add(Range *range, double value) {
    if (!isfinite(value))
        return;
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

/* Half the length of a point's bar; 0: it has none. */
static double spread_of(const Series *series, int64_t i) {
    double spread = series->spread ? series->spread[i] : 0;
    return isfinite(spread) && spread > 0 ? spread : 0;
}

static bool is_point(const Curves *curves, const Series *series, int64_t i) {
    return isfinite(series->x[i]) && isfinite(series->y[i]) &&
           !(curves->x_log && series->x[i] <= 0);
}

/* What the series span; some range where they have no point at all. */
static void ranges(const Curves *curves, Range *x, Range *y) {
    *x = *y = (Range){INFINITY, -INFINITY};
    for (int s = 0; s < curves->n_series; s++) {
        const Series *series = &curves->series[s];
        for (int64_t i = 0; i < series->n; i++) {
            double spread = spread_of(series, i);
            if (!is_point(curves, series, i))
                continue;
            range_add(x, series->x[i]);
            range_add(y, series->y[i] - spread);
            range_add(y, series->y[i] + spread);
        }
    }
    if (curves->from_zero)
        range_add(y, 0);
    if (!(x->low <= x->high))
        *x = curves->x_log ? (Range){1, 10} : (Range){0, 1};
    if (!(y->low <= y->high))
        *y = (Range){0, 1};
}

static void draw_dot(Painter *painter, Point at, Ink ink) {
    Point ends[2] = {at, at};
    painter->line(painter, ends, 2, ink, 5, false);
}

/* Where the points of one series go. */
typedef struct Place {
    const Axis *x, *y;
    double aside; /* to the right */
} Place;

static Point place_at(const Place *place, double x, double y) {
    return (Point){axis_at(place->x, x) + place->aside, axis_at(place->y, y)};
}

/* The bar of a point, with caps. */
static void draw_bar(Painter *painter, const Series *series, int64_t i, const Place *place,
                     Ink ink) {
    double spread = spread_of(series, i);
    Point low = place_at(place, series->x[i], series->y[i] - spread);
    Point high = place_at(place, series->x[i], series->y[i] + spread);
    Point bar[6] = {{low.x - CAP, low.y},   {low.x + CAP, low.y},  low, high,
                    {high.x - CAP, high.y}, {high.x + CAP, high.y}};
    painter->line(painter, bar, 6, ink, 1.2, false);
}

/* A line of no length with round ends is a dot in both painters. */
static void draw_point(Painter *painter, const Series *series, int64_t i, const Place *place) {
    Ink ink = (Ink)(INK_SERIES + series->colour);
    if (spread_of(series, i) > 0 && !series->band)
        draw_bar(painter, series, i, place, ink);
    if (series->dots)
        draw_dot(painter, place_at(place, series->x[i], series->y[i]), ink);
}

/* Pieces of up to so many points; each begins with the last point of the one before. */
enum { PIECE = 512 };

static void draw_series(Painter *painter, const Curves *curves, const Series *series,
                        const Place *place) {
    Ink ink = (Ink)(INK_SERIES + series->colour);
    Point points[PIECE];
    int64_t n = 0;
    for (int64_t i = 0; i <= series->n; i++) {
        bool here = i < series->n && is_point(curves, series, i);
        if (here) {
            points[n++] = place_at(place, series->x[i], series->y[i]);
            draw_point(painter, series, i, place);
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

/* Around the line, there above and back below, wherever both ends of a piece have a spread. */
static void draw_band(Painter *painter, const Curves *curves, const Series *series,
                      const Place *place) {
    Ink ink = (Ink)(INK_SERIES + series->colour);
    Point around[2 * PIECE];
    int64_t n = 0;
    for (int64_t i = 0; i <= series->n; i++) {
        bool here = i < series->n && is_point(curves, series, i) && isfinite(series->spread[i]);
        if (here) {
            double spread = spread_of(series, i);
            around[n] = place_at(place, series->x[i], series->y[i] + spread);
            around[2 * PIECE - 1 - n++] = place_at(place, series->x[i], series->y[i] - spread);
        }
        if (n == 0 || (here && n < PIECE))
            continue;
        Point top = around[n - 1], bottom = around[2 * PIECE - n];
        memmove(around + n, around + 2 * PIECE - n, (size_t)n * sizeof *around);
        if (n > 1)
            painter->area(painter, around, 2 * n, ink, 0.2);
        around[0] = top;
        around[2 * PIECE - 1] = bottom;
        n = here ? 1 : 0;
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

/* How far series s stands to the right of its place. */
static double aside(const Curves *curves, double s) {
    return curves->apart ? APART * (s - (curves->n_series - 1) / 2.0) : 0;
}

/* Ticks of x end where the data does: a curve is as wide as its figure, but for the room that what
 * stands beside the first and last place needs. */
static Axis x_axis(const Range *range, const Curves *curves, Box box) {
    Ticks ticks = curves->x_log ? ticks_log(range->low, range->high, X_TICKS)
                                : ticks_round(range->low, range->high, X_TICKS, curves->x_whole);
    double room = curves->apart ? aside(curves, curves->n_series - 1) + 2 * CAP : 0;
    return (Axis){.ticks = ticks, .from = box.x + room, .to = box.x + box.w - room};
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
    Axis x = x_axis(&x_range, curves, box);
    draw_text(painter, MARGIN, box.y - 12, INK_MUTED, ANCHOR_START, FONT_SMALL, curves->y_label);
    axis_draw_y(painter, box, &y);
    axis_draw_x(painter, box, &x);
    frame_x_label(painter, box, curves->x_label);
    draw_marks(painter, box, curves, &x);
    for (int s = 0; s < 2 * curves->n_series; s++) { /* every band below every line */
        const Series *series = &curves->series[s % curves->n_series];
        Place place = {&x, &y, aside(curves, s % curves->n_series)};
        if (s >= curves->n_series)
            draw_series(painter, curves, series, &place);
        else if (series->band)
            draw_band(painter, curves, series, &place);
    }
}
