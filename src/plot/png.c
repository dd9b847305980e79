/* png: the painter of the pictures, by cairo, on white paper. Without cairo it only says so. */
#include <stdlib.h>
#include <string.h>

#include "lockstep/painter.h"

#ifdef HAVE_CAIRO
#include <cairo.h>
#include <zlib.h>

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

static void area(Painter *painter, const Point *points, int64_t n, Ink ink, double opacity) {
    cairo_t *cairo = cairo_of(painter);
    set_ink(cairo, ink, opacity);
    cairo_move_to(cairo, points[0].x, points[0].y);
    for (int64_t i = 1; i < n; i++)
        cairo_line_to(cairo, points[i].x, points[i].y);
    cairo_close_path(cairo);
    cairo_fill(cairo);
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
    png->painter = (Painter){
        .fill = fill, .line = line, .area = area, .text = words_at, .picture = picture_in};
    png->surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(w * scale), (int)(h * scale));
    png->cairo = cairo_create(png->surface);
    cairo_scale(png->cairo, scale, scale);
    fill(&png->painter, (Box){0, 0, w, h}, INK_PAPER, 1);
    *painter = &png->painter;
    return ST_OK;
}

static void add_u32(Text *text, uint32_t value) {
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    text_add_bytes(text, bytes, sizeof bytes);
}

/* A chunk: length, kind, bytes, checksum of the last two. */
static void add_chunk(Text *text, const char kind[4], const void *bytes, size_t size) {
    uLong crc = crc32(0, (const Bytef *)kind, 4);
    crc = size > 0 ? crc32(crc, bytes, (uInt)size) : crc;
    add_u32(text, (uint32_t)size);
    text_add_bytes(text, kind, 4);
    text_add_bytes(text, bytes, size);
    add_u32(text, (uint32_t)crc);
}

/* Each row as its difference to the one above (filter 2): mostly zeros in a figure. */
static void filter_rows(const cairo_surface_t *surface, uint8_t *to) {
    cairo_surface_t *from = (cairo_surface_t *)surface;
    const unsigned char *rows = cairo_image_surface_get_data(from);
    int w = cairo_image_surface_get_width(from), h = cairo_image_surface_get_height(from);
    int stride = cairo_image_surface_get_stride(from);
    for (int y = 0; y < h; y++) {
        *to++ = 2;
        for (int x = 0; x < w; x++) {
            uint32_t pixel, above = 0;
            memcpy(&pixel, rows + y * stride + 4 * x, sizeof pixel);
            if (y > 0)
                memcpy(&above, rows + (y - 1) * stride + 4 * x, sizeof above);
            for (int shift = 16; shift >= 0; shift -= 8)
                *to++ = (uint8_t)((pixel >> shift) - (above >> shift));
        }
    }
}

/* The whole file. cairo's own writer tries five filters a row, which takes four times as long. */
static Status write_png(cairo_surface_t *surface, uint8_t *rows, uint8_t *packed, size_t row_bytes,
                        Text *text) {
    uLongf packed_bytes = compressBound((uLong)row_bytes);
    uint32_t w = (uint32_t)cairo_image_surface_get_width(surface);
    uint32_t h = (uint32_t)cairo_image_surface_get_height(surface);
    Text head = {0};
    filter_rows(surface, rows);
    if (compress2(packed, &packed_bytes, rows, (uLong)row_bytes, 4) != Z_OK)
        return FAIL(ST_INTERNAL, "zlib cannot compress a picture");
    add_u32(&head, w);
    add_u32(&head, h);
    text_add_bytes(&head, "\x08\x02\0\0\0", 5); /* 8 bits, RGB, not interlaced */
    text_add_bytes(text, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(text, "IHDR", head.bytes, head.size);
    add_chunk(text, "IDAT", packed, packed_bytes);
    add_chunk(text, "IEND", NULL, 0);
    text->failed = text->failed || head.failed;
    text_free(&head);
    return ST_OK;
}

static Status encode(cairo_surface_t *surface, char **bytes, size_t *size) {
    Text text = {0};
    cairo_surface_flush(surface);
    size_t w = (size_t)cairo_image_surface_get_width(surface);
    size_t h = (size_t)cairo_image_surface_get_height(surface), row_bytes = h * (1 + 3 * w);
    uint8_t *rows = malloc(row_bytes + 1), *packed = malloc(compressBound((uLong)row_bytes));
    Status status = rows && packed && h > 0 ? write_png(surface, rows, packed, row_bytes, &text)
                                            : FAIL(ST_INTERNAL, "out of memory for a picture");
    free(rows);
    free(packed);
    if (status == ST_OK)
        return text_take(&text, bytes, size);
    text_free(&text);
    return status;
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
