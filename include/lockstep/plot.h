/* plot: figures, drawn by any painter. Local.
 *
 * Every figure has the same parts: its title, below it the legend, which so can cover no line, the
 * unit of the vertical axis, then the axes. A figure fills the whole of its size from (0, 0). */
#ifndef LOCKSTEP_PLOT_H
#define LOCKSTEP_PLOT_H

#include "lockstep/painter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Size {
    double w, h;
} Size;

/* Round numbers that cover [low, high]: first + i * step, i in [0, count). */
typedef struct Ticks {
    double first, step;
    int count;
    int decimals; /* that their text needs */
    bool log;     /* ten to the power of that, on an axis of logarithms; no decimals then */
} Ticks;

/* At most `most` (>= 3) ticks, one or two or five times a power of ten apart, the first at or below
 * `low`, the last at or above `high`. `whole`: whole numbers alone. */
Ticks ticks_round(double low, double high, int most, bool whole);

/* The same, low > 0, for an axis of logarithms: powers of ten. */
Ticks ticks_log(double low, double high, int most);

typedef struct Series {
    const char *name; /* in the legend */
    int64_t n;
    const double *x, *y;  /* [n]; what is not finite is a gap */
    const double *spread; /* [n] drawn as a bar of y - spread to y + spread, where it is finite and
                             more than 0; NULL: none */
    int colour;           /* INK_SERIES + colour */
    bool dashed, dots;    /* dots: a dot at each point as well */
    bool band;            /* the spread is a band along the line, in place of bars */
} Series;

/* A place on the x axis, with a word above it. */
typedef struct Mark {
    double x;
    const char *word;
} Mark;

typedef struct Curves {
    const char *title, *x_label, *y_label;
    bool x_whole;   /* ticks of x at whole numbers alone */
    bool x_log;     /* an axis of logarithms; x <= 0 is a gap */
    bool from_zero; /* y begins at 0 */
    bool apart;     /* series stand a little beside each other, so that bars at one x can be told */
    int n_series, n_marks;
    const Series *series; /* [n_series] */
    const Mark *marks;    /* [n_marks] */
} Curves;

enum { SERIES_MAX = 32 }; /* that a legend names */
void plot_curves(Painter *painter, Size size, const Curves *curves);

/* Columns of parts that stand on each other. */
typedef struct Stacks {
    const char *title, *x_label, *y_label;
    int n_parts;              /* at most SERIES_INKS */
    const char *const *parts; /* [n_parts] */
    int64_t n;
    const double *x;     /* [n] whole numbers, ascending: the columns' names */
    const double *value; /* [n][n_parts] */
} Stacks;

void plot_stacks(Painter *painter, Size size, const Stacks *stacks);

/* Bars from the left, each with its name and its value. */
typedef struct Bars {
    const char *title, *x_label;
    int64_t n;
    const char *const *names; /* [n] */
    const double *value;      /* [n] of 0 to `most`; what is not finite has no bar */
    double most;
    int decimals;
} Bars;

void plot_bars(Painter *painter, Size size, const Bars *bars);

/* Counts of n x n: a row for each truth, a column for each guess. A cell is as dark as its share of
 * its row is large. */
typedef struct Heat {
    const char *title, *x_label, *y_label;
    int64_t n;
    const char *const *names; /* [n] */
    const int64_t *count;     /* [n][n] */
} Heat;

void plot_heat(Painter *painter, Size size, const Heat *heat);

/* Pictures in rows, each over some lines of text. */
enum { TILE_LINES = 3, TILE_BYTES = 128 };
typedef struct Tile {
    Picture picture;
    char line[TILE_LINES][TILE_BYTES]; /* "": none */
} Tile;

typedef struct Tiles {
    const char *title;
    int64_t n, columns;
    const Tile *tile; /* [n] */
} Tiles;

/* The height that so many tiles need in a figure so wide. */
double plot_tiles_height(double w, const Tiles *tiles);
void plot_tiles(Painter *painter, Size size, const Tiles *tiles);

#ifdef __cplusplus
}
#endif
#endif
