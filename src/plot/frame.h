/* frame: what figures have in common: title, legend, axes. Private to src/plot. Local. */
#ifndef LOCKSTEP_PLOT_FRAME_H
#define LOCKSTEP_PLOT_FRAME_H

#include "lockstep/plot.h"

enum { FONT = 13, FONT_SMALL = 12, FONT_TITLE = 15, MARGIN = 12, LINE_HEIGHT = 18 };

typedef struct LegendEntry {
    const char *name;
    Ink ink;
    bool dashed, box; /* box: a patch of the colour, else a piece of line */
} LegendEntry;

/* Title, then the legend's rows, from the top of the figure; returns the y below them. */
double frame_head(Painter *painter, Size size, const char *title, const LegendEntry *entries,
                  int n);

/* The words of a tick. Thousands have commas. */
void tick_words(const Ticks *ticks, int i, char *words, size_t room);
double tick_value(const Ticks *ticks, int i);

/* An axis from the first tick to the last, along a box. */
typedef struct Axis {
    Ticks ticks;
    double from, to; /* positions of the first and of the last tick */
} Axis;

double axis_at(const Axis *axis, double value);

/* Width of the widest words of the ticks. */
double ticks_width(const Ticks *ticks);

/* Grid lines over `box` with their words left of it, or a base line with words below it. */
void axis_draw_y(Painter *painter, Box box, const Axis *axis);
void axis_draw_x(Painter *painter, Box box, const Axis *axis);

/* The words on the x axis, right below its numbers. */
void frame_x_label(Painter *painter, Box box, const char *label);

/* Of a class's name beside what is drawn of it: the most that it takes of the width, the least
 * height for one, and room for it. */
enum { NAME_WIDTH = 200, NAME_HEIGHT = 12, NAME_BYTES = 128 };

/* A name, or as much of it as has room in `width`, ended by a point. */
void frame_shorten(const char *name, double size, double width, char *out, size_t room);

void draw_text(Painter *painter, double x, double y, Ink ink, Anchor anchor, double size,
               const char *words);

#endif
