/* painter: what a figure is drawn with. Two of them: PNG by cairo, and SVG with real text. Local.
 *
 * Positions and sizes are in units of which a figure is some hundreds wide, y downwards. Colours
 * are roles (Ink), so that a page can give each its own value by day and by night. */
#ifndef LOCKSTEP_PAINTER_H
#define LOCKSTEP_PAINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"
#include "lockstep/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The series' colours are, but for two, those of Okabe and Ito, which people of any colour vision
 * tell apart; the first one is also the heat map's. */
enum { SERIES_INKS = 7 };
typedef enum Ink {
    INK_TEXT,
    INK_MUTED, /* axis labels, captions */
    INK_GRID,
    INK_PAPER,
    INK_ON_HEAT, /* text on the first series' colour */
    INK_SERIES,  /* INK_SERIES + i: the colour of series i, i < SERIES_INKS */
    INKS = INK_SERIES + SERIES_INKS
} Ink;

/* The name of an ink, as the page's style sheet has it ("text", "s0"), and its colour 0xRRGGBB by
 * day and by night. */
const char *ink_name(Ink ink);
uint32_t ink_colour(Ink ink, bool dark);

/* The variables of a style sheet that give each ink its colour. */
void ink_style(Text *text, bool dark);

typedef struct Point {
    double x, y;
} Point;

typedef struct Box {
    double x, y, w, h;
} Box;

typedef enum Anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } Anchor;

typedef struct TextStyle {
    Ink ink;
    Anchor anchor; /* which part of the text stands at x */
    double size;   /* of the font */
    bool bold;
} TextStyle;

/* Planes of 8 bits, each row by row: red, green, blue; or one plane of grey. */
typedef struct Picture {
    const uint8_t *planes; /* [channels][h][w] */
    int64_t channels, h, w;
} Picture;

typedef struct Painter Painter;
struct Painter {
    void (*fill)(Painter *painter, Box box, Ink ink, double opacity);
    /* An open line through points[n], n >= 1, of a width; dashed or not. */
    void (*line)(Painter *painter, const Point *points, int64_t n, Ink ink, double width,
                 bool dashed);
    /* What the closed line through points[n], n >= 3, goes around. */
    void (*area)(Painter *painter, const Point *points, int64_t n, Ink ink, double opacity);
    void (*text)(Painter *painter, Point base, const TextStyle *style, const char *words);
    void (*picture)(Painter *painter, Box box, const Picture *picture);
};

/* Opens a painter for a figure w x h units large. `id` makes names within the SVG unique on a page;
 * `title` is what a reader of the screen hears. */
Status painter_svg_open(double w, double h, const char *id, const char *title, Painter **painter);
/* Makes it a figure that stands alone in a file, with its own ground, font and colours by day and
 * by night; before anything is drawn. */
void painter_svg_alone(Painter *painter, double w, double h);
/* `scale`: pixels a unit. ST_DEVICE, with the remedy, where lockstep was built without cairo. */
Status painter_png_open(double w, double h, double scale, Painter **painter);

/* Ends a painter and hands over what it drew, which the caller frees; *size bytes. */
Status painter_svg_finish(Painter *painter, char **bytes, size_t *size);
Status painter_png_finish(Painter *painter, char **bytes, size_t *size);

/* Whether PNGs can be drawn; else ST_DEVICE, with the remedy. */
Status painter_png_there(void);

/* One picture, as it is, as a PNG file. */
Status png_encode(const Picture *picture, char **bytes, size_t *size);

/* The pixels of a PNG file: planes of red, green and blue, which the caller frees. What is
 * transparent is shown on white. */
typedef struct PngImage {
    uint8_t *planes; /* [3][h][w] */
    int64_t h, w;
} PngImage;

/* ST_DATA where the file cannot be read, is no PNG or has more than 100 million pixels; ST_DEVICE
 * without cairo. */
Status png_read(const char *path, PngImage *image);

/* About how wide a text will be: a little more than fonts without serifs need. */
double text_width(const char *words, double size, bool bold);

#ifdef __cplusplus
}
#endif
#endif
