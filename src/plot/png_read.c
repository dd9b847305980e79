/* png_read: a PNG file as planes of bytes, by cairo. Without cairo it only says so. */
#include "lockstep/painter.h"

#ifdef HAVE_CAIRO
#include <cairo.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/file.h"

enum { PIXELS_MAX = 100000000 };

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Whether the file begins as a PNG, of a size that one may ask memory for. */
static Status check_head(FILE *file, const char *path) {
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t head[24]; /* signature, length and kind of the first chunk, width, height */
    errno = 0;
    size_t n = fread(head, 1, sizeof head, file);
    if (ferror(file))
        return FAIL(ST_DATA, "%s: cannot be read: %s", path, strerror(errno));
    if (n < sizeof signature || memcmp(head, signature, sizeof signature) != 0)
        return FAIL(ST_DATA, "%s: not a PNG file; convert it to one", path);
    if (n < sizeof head || memcmp(head + 12, "IHDR", 4) != 0)
        return FAIL(ST_DATA, "%s: a damaged PNG file: it has no header", path);
    uint64_t pixels = (uint64_t)big_endian(head + 16) * big_endian(head + 20);
    if (pixels > PIXELS_MAX)
        return FAIL(ST_DATA, "%s: more than %d million pixels; make it smaller", path,
                    PIXELS_MAX / 1000000);
    rewind(file);
    return ST_OK;
}

static cairo_status_t read_some(void *context, unsigned char *bytes, unsigned int n) {
    return fread(bytes, 1, n, context) == n ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_READ_ERROR;
}

/* An opaque copy, whatever form cairo gave the pixels: over white. */
static cairo_surface_t *over_white(cairo_surface_t *from, int w, int h) {
    cairo_surface_t *to = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    cairo_t *cairo = cairo_create(to);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_set_source_surface(cairo, from, 0, 0);
    cairo_paint(cairo);
    cairo_destroy(cairo);
    cairo_surface_flush(to);
    return to;
}

static Status take_planes(cairo_surface_t *from, const char *path, PngImage *image) {
    cairo_status_t failed = cairo_surface_status(from);
    if (failed != CAIRO_STATUS_SUCCESS)
        return FAIL(ST_DATA, "%s: a damaged PNG file (cairo: %s)", path,
                    cairo_status_to_string(failed));
    int w = cairo_image_surface_get_width(from), h = cairo_image_surface_get_height(from);
    cairo_surface_t *surface = over_white(from, w, h);
    size_t plane = (size_t)w * (size_t)h;
    const unsigned char *rows = cairo_image_surface_get_data(surface);
    uint8_t *planes = rows ? malloc(3 * plane + 1) : NULL;
    int stride = cairo_image_surface_get_stride(surface);
    for (int y = 0; planes && y < h; y++) {
        for (int x = 0; x < w; x++) {
            uint32_t pixel;
            memcpy(&pixel, rows + (size_t)y * (size_t)stride + 4 * (size_t)x, sizeof pixel);
            for (size_t c = 0; c < 3; c++)
                planes[c * plane + (size_t)y * (size_t)w + (size_t)x] =
                    (uint8_t)(pixel >> (16 - 8 * c));
        }
    }
    cairo_surface_destroy(surface);
    TRY_ALLOC(planes);
    *image = (PngImage){.planes = planes, .h = h, .w = w};
    return ST_OK;
}

Status png_read(const char *path, PngImage *image) {
    *image = (PngImage){0};
    FILE *file = file_open_stream(path);
    if (!file)
        return FAIL(ST_DATA, "%s: %s", path, file_cause(errno));
    Status status = check_head(file, path);
    if (status == ST_OK) {
        cairo_surface_t *surface = cairo_image_surface_create_from_png_stream(read_some, file);
        status = take_planes(surface, path, image);
        cairo_surface_destroy(surface);
    }
    fclose(file);
    return status;
}
#else

Status png_read(const char *path, PngImage *image) {
    (void)path, (void)image;
    return painter_png_there();
}
#endif
