/* png: the painter of the pictures, by cairo, on white paper. Without cairo it only says so. */
#include <stdlib.h>
#include <string.h>

#include "lockstep/painter.h"

#ifdef HAVE_CAIRO
#include <cairo.h>

typedef struct PngPainter {
    Painter painter; /* first: a Painter * is a PngPainter * */
    cairo_surface_t *surface;
    cairo_t *cairo;
} PngPainter;

static cairo_t *cairo_of(Painter *painter) {
    return ((PngPainter *)painter)->cairo;
}

static void set_ink(cairo_t *cairo, Ink ink, double opacity) {
    uint32_t colour = ink_colour(ink, false);
    cairo_set_source_rgba(cairo, (colour >> 16) / 255.0, (colour >> 8 & 255) / 255.0,
                          (colour & 255) / 255.0, opacity);
}

static void fill(Painter *painter, Box box, Ink ink, double opacity) {
    cairo_t *cairo = cairo_of(painter);
    set_ink(cairo, ink, opacity);
    cairo_rectangle(cairo, box.x, box.y, box.w, box.h);
    cairo_fill(cairo);
}

static void line(Painter *painter, const Point *points, int64_t n, Ink ink, double width,
                 bool dashed) {
    static const double dashes[] = {5, 3};
    cairo_t *cairo = cairo_of(painter);
    set_ink(cairo, ink, 1);
    cairo_set_line_width(cairo, width);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cairo, dashed ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
    cairo_set_dash(cairo, dashes, dashed ? 2 : 0, 0);
    cairo_move_to(cairo, points[0].x, points[0].y);
    for (int64_t i = 0; i < n; i++)
        cairo_line_to(cairo, points[i].x, points[i].y);
    cairo_stroke(cairo);
}

static void words_at(Painter *painter, Point base, const TextStyle *style, const char *words) {
    cairo_t *cairo = cairo_of(painter);
    cairo_text_extents_t extents;
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, style->size);
    cairo_text_extents(cairo, words, &extents);
    set_ink(cairo, style->ink, 1);
    cairo_move_to(cairo, base.x - extents.x_advance * 0.5 * (double)style->anchor, base.y);
    cairo_show_text(cairo, words);
}

/* A cairo image of the picture; NULL where there is no memory. */
static cairo_surface_t *surface_of(const Picture *picture) {
    int64_t plane = picture->h * picture->w;
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)picture->w, (int)picture->h);
    if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS)
        return surface;
    unsigned char *rows = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int64_t y = 0; y < picture->h; y++) {
        for (int64_t x = 0; x < picture->w; x++) {
            const uint8_t *first = picture->planes + y * picture->w + x;
            uint32_t pixel = 0;
            for (int64_t c = 0; c < 3; c++)
                pixel = pixel << 8 | first[picture->channels >= 3 ? c * plane : 0];
            memcpy(rows + y * stride + 4 * x, &pixel, sizeof pixel);
        }
    }
    cairo_surface_mark_dirty(surface);
    return surface;
}

static void picture_in(Painter *painter, Box box, const Picture *picture) {
    cairo_t *cairo = cairo_of(painter);
    cairo_surface_t *surface = surface_of(picture);
    cairo_save(cairo);
    cairo_translate(cairo, box.x, box.y);
    cairo_scale(cairo, box.w / (double)picture->w, box.h / (double)picture->h);
    cairo_set_source_surface(cairo, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_BILINEAR);
    /* The edge is the picture's, not half transparent. */
    cairo_pattern_set_extend(cairo_get_source(cairo), CAIRO_EXTEND_PAD);
    cairo_rectangle(cairo, 0, 0, (double)picture->w, (double)picture->h);
    cairo_fill(cairo);
    cairo_restore(cairo);
    cairo_surface_destroy(surface);
}

Status painter_png_there(void) {
    return ST_OK;
}

Status painter_png_open(double w, double h, double scale, Painter **painter) {
    PngPainter *png = calloc(1, sizeof *png);
    TRY_ALLOC(png);
    png->painter = (Painter){.fill = fill, .line = line, .text = words_at, .picture = picture_in};
    png->surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(w * scale), (int)(h * scale));
    png->cairo = cairo_create(png->surface);
    cairo_scale(png->cairo, scale, scale);
    fill(&png->painter, (Box){0, 0, w, h}, INK_PAPER, 1);
    *painter = &png->painter;
    return ST_OK;
}

static cairo_status_t append(void *context, const unsigned char *bytes, unsigned size) {
    Text *text = context;
    text_add_bytes(text, bytes, size);
    return text->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static Status encode(cairo_surface_t *surface, char **bytes, size_t *size) {
    Text text = {0};
    cairo_surface_flush(surface);
    cairo_status_t failed = cairo_surface_write_to_png_stream(surface, append, &text);
    if (failed != CAIRO_STATUS_SUCCESS) {
        text_free(&text);
        return FAIL(ST_INTERNAL, "cairo cannot make a PNG: %s", cairo_status_to_string(failed));
    }
    return text_take(&text, bytes, size);
}

Status painter_png_finish(Painter *painter, char **bytes, size_t *size) {
    PngPainter *png = (PngPainter *)painter;
    cairo_status_t failed = cairo_status(png->cairo);
    Status status = failed == CAIRO_STATUS_SUCCESS
                        ? encode(png->surface, bytes, size)
                        : FAIL(ST_INTERNAL, "cairo: %s", cairo_status_to_string(failed));
    cairo_destroy(png->cairo);
    cairo_surface_destroy(png->surface);
    free(png);
    return status;
}

Status png_encode(const Picture *picture, char **bytes, size_t *size) {
    cairo_surface_t *surface = surface_of(picture);
    Status status = encode(surface, bytes, size);
    cairo_surface_destroy(surface);
    return status;
}
#else

Status painter_png_there(void) {
    return FAIL(ST_DEVICE, "this lockstep was built without cairo, which draws the pictures: "
                           "install libcairo2-dev (`make setup` does) and `make` again");
}

Status painter_png_open(double w, double h, double scale, Painter **painter) {
    (void)w, (void)h, (void)scale, (void)painter;
    return painter_png_there();
}

Status painter_png_finish(Painter *painter, char **bytes, size_t *size) {
    (void)painter, (void)bytes, (void)size;
    return painter_png_there();
}

Status png_encode(const Picture *picture, char **bytes, size_t *size) {
    (void)picture, (void)bytes, (void)size;
    return painter_png_there();
}
#endif
