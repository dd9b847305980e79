/* svg: the painter of the page. Text stays text, and colours are the page's: an ink is a variable
 * of its style sheet (--s0). */
#include <stdlib.h>

#include "lockstep/painter.h"

typedef struct SvgPainter {
    Painter painter; /* first: a Painter * is a SvgPainter * */
    Text text;
} SvgPainter;

static Text *text_of(Painter *painter) {
    return &((SvgPainter *)painter)->text;
}

static void fill(Painter *painter, Box box, Ink ink, double opacity) {
    text_add(text_of(painter),
             "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" style=\"fill:var(--%s)\"",
             box.x, box.y, box.w, box.h, ink_name(ink));
    if (opacity < 1)
        text_add(text_of(painter), " fill-opacity=\"%.3f\"", opacity);
    text_add(text_of(painter), "/>\n");
}

static void add_points(Text *text, const Point *points, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        text_add(text, "%s%.2f,%.2f", i > 0 ? " " : "", points[i].x, points[i].y);
}

static void area(Painter *painter, const Point *points, int64_t n, Ink ink, double opacity) {
    Text *text = text_of(painter);
    text_add(text, "<polygon points=\"");
    add_points(text, points, n);
    text_add(text, "\" style=\"fill:var(--%s)\" fill-opacity=\"%.3f\"/>\n", ink_name(ink), opacity);
}

static void line(Painter *painter, const Point *points, int64_t n, Ink ink, double width,
                 bool dashed) {
    Text *text = text_of(painter);
    text_add(text, "<polyline points=\"");
    add_points(text, points, n);
    text_add(text,
             "\" style=\"fill:none;stroke:var(--%s);stroke-width:%.2f;stroke-linejoin:round;"
             "stroke-linecap:%s%s\"/>\n",
             ink_name(ink), width, dashed ? "butt" : "round",
             dashed ? ";stroke-dasharray:5 3" : "");
}

static void words_at(Painter *painter, Point base, const TextStyle *style, const char *words) {
    static const char *const anchors[] = {"start", "middle", "end"};
    Text *text = text_of(painter);
    text_add(text,
             "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" "
             "style=\"fill:var(--%s);font-size:%.2fpx%s\">",
             base.x, base.y, anchors[style->anchor], ink_name(style->ink), style->size,
             style->bold ? ";font-weight:600" : "");
    text_add_escaped(text, words);
    text_add(text, "</text>\n");
}

/* Where it cannot be made into a PNG the figure fails as a whole: Text remembers it. */
static void picture_in(Painter *painter, Box box, const Picture *picture) {
    Text *text = text_of(painter);
    char *png = NULL;
    size_t size = 0;
    if (png_encode(picture, &png, &size) != ST_OK) {
        status_clear();
        text->failed = true;
        return;
    }
    text_add(text,
             "<image x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
             "href=\"data:image/png;base64,",
             box.x, box.y, box.w, box.h);
    text_add_base64(text, png, size);
    text_add(text, "\"/>\n");
    free(png);
}

Status painter_svg_open(double w, double h, const char *id, const char *title, Painter **painter) {
    SvgPainter *svg = calloc(1, sizeof *svg);
    TRY_ALLOC(svg);
    svg->painter = (Painter){
        .fill = fill, .line = line, .area = area, .text = words_at, .picture = picture_in};
    text_add(&svg->text,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
             "height=\"%.0f\" role=\"img\" aria-labelledby=\"%s-title\">\n<title id=\"%s-title\">",
             w, h, w, h, id, id);
    text_add_escaped(&svg->text, title);
    text_add(&svg->text, "</title>\n");
    *painter = &svg->painter;
    return ST_OK;
}

void painter_svg_alone(Painter *painter, double w, double h) {
    Text *text = text_of(painter);
    text_add(text, "<style>:root{font-family:\"DejaVu Sans\",system-ui,sans-serif;");
    ink_style(text, false);
    text_add(text, "}@media screen and (prefers-color-scheme:dark){:root{");
    ink_style(text, true);
    text_add(text, "}}</style>\n");
    fill(painter, (Box){0, 0, w, h}, INK_PAPER, 1);
}

Status painter_svg_finish(Painter *painter, char **bytes, size_t *size) {
    SvgPainter *svg = (SvgPainter *)painter;
    text_add(&svg->text, "</svg>\n");
    Status status = text_take(&svg->text, bytes, size);
    free(svg);
    return status;
}
