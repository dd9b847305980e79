/* pixel_apply: see pixel_apply.h. Most changes are tables of 256 bytes, one a channel. */
#include "pixel_apply.h"

#include <math.h>
#include <string.h>

#include "portable.h"

/* ---- set up ---- */

/* To whole 1 / 65536, as Pillow does it. */
static int32_t fixed(double x) {
    return (int32_t)floor(x * 65536 + 0.5);
}

/* Of the map a x + b y + c, d x + e y + f, at the centres of pixels. */
static PixelChange move(double a, double b, double c, double d, double e, double f) {
    return (PixelChange){PIXEL_MOVE,
                         {.map = {fixed(a), fixed(b), fixed(c + a * 0.5 + b * 0.5), fixed(d),
                                  fixed(e), fixed(f + d * 0.5 + e * 0.5)}}};
}

PixelChange pixel_shear(double amount, bool vertical) {
    return vertical ? move(1, 0, 0, amount, 1, 0) : move(1, amount, 0, 0, 1, 0);
}

PixelChange pixel_translate(int pixels, bool vertical) {
    return vertical ? move(1, 0, 0, 0, 1, -pixels) : move(1, 0, -pixels, 0, 1, 0);
}

PixelChange pixel_rotate(double degrees, Shape shape) {
    double cosine, sine, x = (double)shape.w / 2, y = (double)shape.h / 2;
    portable_turn(degrees, &cosine, &sine);
    return move(cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y);
}

/* All bytes have values, whichever member is used: they go to a device and are compared. */
PixelChange pixel_by_factor(PixelOp op, double factor) {
    PixelChange change = {op, {.map = {0}}};
    change.by.factor = (float)factor;
    return change;
}

PixelChange pixel_by_number(PixelOp op, int number) {
    PixelChange change = {op, {.map = {0}}};
    change.by.number = number;
    return change;
}

/* ---- pixel by pixel ---- */

static void apply_move(const int32_t map[6], Shape shape, const uint8_t *fill,
                       const uint8_t *restrict source, uint8_t *restrict target) {
    int height = (int)shape.h, width = (int)shape.w, plane = height * width;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int from = pixel_moved(map, height, width, y, x), to = y * width + x;
            for (int c = 0; c < shape.c; c++)
                target[c * plane + to] = from >= 0 ? source[c * plane + from] : fill[c];
        }
    }
}

static Colour colour_at(const uint8_t *source, int64_t plane, int64_t i) {
    return (Colour){{source[i], source[plane + i], source[2 * plane + i]}};
}

static void saturate(Shape shape, float factor, const uint8_t *restrict source,
                     uint8_t *restrict target) {
    int64_t plane = shape.h * shape.w;
    for (int64_t i = 0; i < plane; i++) {
        int grey = colour_grey(colour_at(source, plane, i));
        for (int c = 0; c < 3; c++)
            target[c * plane + i] = pixel_blend(grey, source[c * plane + i], factor);
    }
}

static void turn_hue(Shape shape, int turn, const uint8_t *restrict source,
                     uint8_t *restrict target) {
    int64_t plane = shape.h * shape.w;
    for (int64_t i = 0; i < plane; i++) {
        Colour turned = colour_turned(colour_at(source, plane, i), turn);
        for (int c = 0; c < 3; c++)
            target[c * plane + i] = turned.at[c];
    }
}

/* Pixels at an edge have no smoothed ones, and stay as they are. */
static void sharpen(Shape shape, float factor, const uint8_t *restrict source,
                    uint8_t *restrict target) {
    int64_t width = shape.w, plane = shape.h * width;
    memcpy(target, source, (size_t)(shape.c * plane));
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        if (row % shape.h == 0 || row % shape.h == shape.h - 1)
            continue;
        const uint8_t *at = source + row * width;
        for (int64_t x = 1; x < width - 1; x++) {
            int sum = 4 * at[x];
            for (int64_t from = x - 1; from <= x + 1; from++)
                sum += at[from - width] + at[from] + at[from + width];
            target[row * width + x] = pixel_blend(pixel_smooth(sum), at[x], factor);
        }
    }
}

/* ---- by a table ---- */

static int grey_mean(Shape shape, const uint8_t *source) {
    int64_t plane = shape.h * shape.w;
    int sum = 0;
    for (int64_t i = 0; i < plane; i++)
        sum += shape.c == 1 ? source[i] : colour_grey(colour_at(source, plane, i));
    return pixel_mean(sum, (int)plane);
}

static PixelRange range_of(const int count[PIXEL_BYTES], int pixels) {
    PixelRange range = {0, PIXEL_BYTES - 1, 0};
    while (count[range.darkest] == 0)
        range.darkest++;
    while (count[range.brightest] == 0)
        range.brightest--;
    range.step = pixel_step(pixels, count[range.brightest]);
    return range;
}

/* Of channel `plane` of the source. */
static void fill_table(const PixelChange *change, Shape shape, const uint8_t *source,
                       const uint8_t *plane, uint8_t table[PIXEL_BYTES]) {
    int pixels = (int)(shape.h * shape.w), count[PIXEL_BYTES] = {0}, darker = 0;
    PixelRange range = {0, 0, 0};
    if (pixel_by_channel(change->op)) {
        for (int i = 0; i < pixels; i++)
            count[plane[i]]++;
        range = range_of(count, pixels);
    } else if (change->op == PIXEL_CONTRAST) {
        range.darkest = range.brightest = grey_mean(shape, source);
    }
    for (int i = 0; i < PIXEL_BYTES; i++) {
        table[i] = pixel_entry(change, range, darker, i);
        darker += count[i];
    }
}

static void apply_table(const PixelChange *change, Shape shape, const uint8_t *restrict source,
                        uint8_t *restrict target) {
    uint8_t table[PIXEL_BYTES];
    int64_t plane = shape.h * shape.w;
    for (int64_t c = 0; c < shape.c; c++) {
        if (c == 0 || pixel_by_channel(change->op))
            fill_table(change, shape, source, source + c * plane, table);
        for (int64_t i = c * plane; i < (c + 1) * plane; i++)
            target[i] = table[source[i]];
    }
}

void pixel_apply(const PixelChange *change, Shape shape, const uint8_t *fill,
                 const uint8_t *restrict source, uint8_t *restrict target) {
    if (pixel_keeps(change->op, (int)shape.c))
        memcpy(target, source, (size_t)shape_count(shape));
    else if (change->op == PIXEL_MOVE)
        apply_move(change->by.map, shape, fill, source, target);
    else if (change->op == PIXEL_SATURATION)
        saturate(shape, change->by.factor, source, target);
    else if (change->op == PIXEL_HUE)
        turn_hue(shape, change->by.number, source, target);
    else if (change->op == PIXEL_SHARPNESS)
        sharpen(shape, change->by.factor, source, target);
    else
        apply_table(change, shape, source, target);
}
