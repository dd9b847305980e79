/* pixel_change: one change of a record's bytes, of those that RandAugment and colour jitter are
 * made of, pixel by pixel. One text for every device that makes images. Header only. Local.
 *
 * Bytes come out as those that torchvision gets from Pillow, which computes in float and rounds
 * down; so do these, in Pillow's order. Where a change looks at more than its pixel, the caller
 * brings what it has to know of the image: a sum, or how often a channel has each byte. */
#ifndef LOCKSTEP_PIXEL_CHANGE_H
#define LOCKSTEP_PIXEL_CHANGE_H

#include "lockstep/colour.h"

#ifdef __CUDACC__
#define PIXEL_FN static __host__ __device__ inline
#else
#define PIXEL_FN static inline
#endif

enum {
    PIXEL_BYTES = 256,
    PIXEL_CHANNELS_MAX = 3, /* images of 1 or 3 channels are changed */
    PIXEL_CHANGES_MAX = 18  /* of an image */
};

typedef enum PixelOp {
    PIXEL_NONE,
    PIXEL_MOVE,         /* map: shear, translation or rotation, nearest-neighbour */
    PIXEL_SATURATION,   /* factor: from its grey image; nothing where the image is grey */
    PIXEL_HUE,          /* number: added to the hue, of 256; nothing where the image is grey */
    PIXEL_SHARPNESS,    /* factor: from the image smoothed by 1 1 1, 1 5 1, 1 1 1 */
    PIXEL_BRIGHTNESS,   /* factor: from black; 1 is the image as it is, above 1 is beyond it */
    PIXEL_CONTRAST,     /* factor: from the mean of its grey image, rounded */
    PIXEL_POSTERIZE,    /* number: of a byte's upper bits that are kept */
    PIXEL_SOLARIZE,     /* factor: bytes from this on are inverted */
    PIXEL_AUTOCONTRAST, /* each channel's darkest and brightest byte become 0 and 255 */
    PIXEL_EQUALIZE      /* each channel's bytes become their rank */
} PixelOp;

typedef struct PixelChange {
    PixelOp op;
    union {
        /* In 1 / 65536 of a pixel: pixel (x, y) is the one at column (map[0] x + map[1] y +
         * map[2]) / 65536 and row (map[3] x + map[4] y + map[5]) / 65536, both rounded down. */
        int32_t map[6];
        float factor;
        int32_t number;
    } by;
} PixelChange;

/* Whether the op replaces each byte by another, the same for all pixels of a channel; and whether
 * that depends on how often the channel has each. */
PIXEL_FN int pixel_by_table(PixelOp op) {
    return op >= PIXEL_BRIGHTNESS;
}
PIXEL_FN int pixel_by_channel(PixelOp op) {
    return op >= PIXEL_AUTOCONTRAST;
}

/* Whether the op does nothing to an image of so many channels. */
PIXEL_FN int pixel_keeps(PixelOp op, int channels) {
    return op == PIXEL_NONE || (channels == 1 && (op == PIXEL_SATURATION || op == PIXEL_HUE));
}

/* Where pixel (x, y) comes from: width row + column, or -1: outside. */
PIXEL_FN int pixel_moved(const int32_t map[6], int height, int width, int y, int x) {
    int column = (map[0] * x + map[1] * y + map[2]) >> 16;
    int row = (map[3] * x + map[4] * y + map[5]) >> 16;
    return column >= 0 && column < width && row >= 0 && row < height ? row * width + column : -1;
}

/* Pillow's blend: at factor 0 `from`, at 1 `to`, cut off at 0 and 255, rounded down. */
PIXEL_FN uint8_t pixel_blend(int from, int to, float factor) {
    float value = (float)from + factor * (float)(to - from);
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)value;
}

/* Of the sum of a pixel's neighbours, itself counted five times: a thirteenth, rounded, which is
 * never half way. */
PIXEL_FN int pixel_smooth(int sum) {
    return (2 * sum + 13) / 26;
}

/* Of a grey image, rounded. */
PIXEL_FN int pixel_mean(int sum, int pixels) {
    return (2 * sum + pixels) / (2 * pixels);
}

/* What a channel's bytes are, as far as a table needs it. */
typedef struct PixelRange {
    int darkest, brightest; /* bytes that it has; of PIXEL_CONTRAST both the mean of grey */
    int step;               /* pixel_step; 0 where not asked for */
} PixelRange;

/* ImageOps.equalize: a 255th of all pixels but the brightest ones' is a step of one. */
PIXEL_FN int pixel_step(int pixels, int brightest_ones) {
    return (pixels - brightest_ones) / 255;
}

/* ImageOps.autocontrast, whose numbers are doubles: a whole one may come out just below. */
PIXEL_FN uint8_t pixel_stretched(PixelRange range, int byte) {
    double scale, value;
    if (range.brightest == range.darkest)
        return (uint8_t)byte;
    scale = 255.0 / (range.brightest - range.darkest);
    value = byte * scale + -range.darkest * scale;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* `darker`: pixels of the channel that are darker than `byte`. */
PIXEL_FN uint8_t pixel_rank(PixelRange range, int darker, int byte) {
    int rank;
    if (range.step == 0)
        return (uint8_t)byte;
    rank = (range.step / 2 + darker) / range.step;
    return (uint8_t)(rank > 255 ? 255 : rank);
}

/* What `byte` becomes; of an op by table. `darker` as in pixel_rank, elsewhere not looked at. */
PIXEL_FN uint8_t pixel_entry(const PixelChange *change, PixelRange range, int darker, int byte) {
    switch (change->op) {
    case PIXEL_BRIGHTNESS:
        return pixel_blend(0, byte, change->by.factor);
    case PIXEL_CONTRAST:
        return pixel_blend(range.darkest, byte, change->by.factor);
    case PIXEL_POSTERIZE:
        return (uint8_t)(byte & 0xFF00 >> change->by.number);
    case PIXEL_SOLARIZE:
        return (uint8_t)((float)byte < change->by.factor ? byte : 255 - byte);
    case PIXEL_AUTOCONTRAST:
        return pixel_stretched(range, byte);
    default:
        return pixel_rank(range, darker, byte);
    }
}

#undef PIXEL_FN
#endif
