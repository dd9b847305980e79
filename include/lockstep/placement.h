/* placement: how one uint8 record becomes one image of a batch: what augmentation drew for it. One
 * text for every device that makes images itself. Header only. Local.
 *
 * augment.h draws placements from the seed's counters and makes images on the CPU, row by row; a
 * GPU makes them from the same placements, pixel by pixel, with the functions here. Both give the
 * same bits: all geometry is in integers, and the last pass is a division, a subtraction, a
 * division, an addition and a multiplication in float, each rounded by itself. */
#ifndef LOCKSTEP_PLACEMENT_H
#define LOCKSTEP_PLACEMENT_H

#include <stdint.h>

#include "lockstep/erase.h"

#ifdef __CUDACC__
#define PLACEMENT_FN static __host__ __device__ inline
#else
#define PLACEMENT_FN static inline
#endif

enum {
    IMAGE_CHANNELS_MAX = ERASE_CHANNELS_MAX,
    IMAGE_SIDE_MAX = 64, /* of a record and of an image, which are of one size */
    PLACEMENT_ONE = 1 << 16,
    MIX_ONE = 1 << 16,
    PIXEL_SHARES = 1 << 22 /* of a pixel between its neighbours: what PIL computes with */
};

/* How a second image is mixed into a first, both finished; in mixup the box is the whole image, in
 * cutmix the pixel share MIX_ONE. Not mixed where label_share is 0. */
typedef struct Mix {
    int32_t partner;     /* place of the second record among those in memory */
    int32_t label_share; /* how much of MIX_ONE the second label counts, the first the rest */
    int32_t pixel_share; /* and the second image's pixels, in [top, bottom) x [left, right) */
    int16_t top, bottom, left, right;
} Mix;

/* Of an image's loss: the second label counts share / MIX_ONE, the first the rest. */
typedef struct SecondLabel {
    int32_t label;
    int32_t share; /* 0: there is none */
} SecondLabel;

/* Order: rotation, resized part or crop, mirror, then what image_rule.h says, brightness, contrast,
 * cutout, erasing. */
typedef struct Placement {
    int32_t place;                   /* of the record among those in memory */
    int32_t cosine, sine;            /* of the angle, times PLACEMENT_ONE; counter-clockwise */
    float shift, gain;               /* brightness and contrast: (scaled pixel + shift) gain */
    int16_t part_top, part_left;     /* this part of the record, turned, fills the whole image, */
    int16_t part_height, part_width; /* enlarged; height 0: no such part */
    int16_t down, right;             /* image[y][x] = rotated[y + down][x + right] */
    /* [top, bottom) x [left, right) is set to 0; nothing where empty */
    int16_t cut_top, cut_left, cut_bottom, cut_right;
    uint8_t mirror;  /* after the crop */
    uint8_t reflect; /* a crop's padding is the record mirrored at its edge pixels, not `fill` */
    uint16_t unused; /* 0 */
    uint8_t fill[IMAGE_CHANNELS_MAX]; /* what stands outside the record */
    ErasePart erase;
    Mix mix; /* of the image with that of another placement */
} Placement;

/* Of one channel each: (byte / unit - mean) / std. */
typedef struct PixelScale {
    float unit; /* 255 or 1 */
    float mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX];
} PixelScale;

PLACEMENT_FN Mix mix_none(void) {
    Mix mix = {0, 0, 0, 0, 0, 0, 0};
    return mix;
}

/* The record as it is. */
PLACEMENT_FN Placement placement_plain(int32_t place) {
    Placement p;
    p.place = place;
    p.cosine = PLACEMENT_ONE;
    p.sine = 0;
    p.shift = 0;
    p.gain = 1;
    p.part_top = p.part_left = p.part_height = p.part_width = 0;
    p.down = p.right = 0;
    p.cut_top = p.cut_left = p.cut_bottom = p.cut_right = 0;
    p.mirror = p.reflect = 0;
    p.unused = 0;
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++)
        p.fill[c] = 0;
    p.erase.top = p.erase.left = p.erase.height = p.erase.width = 0;
    p.erase.epoch = p.erase.record = 0;
    p.mix = mix_none();
    return p;
}

/* `at`, or what it is the mirror image of about the first or the last of `side` pixels, which are
 * not repeated: -1 is 1, side is side - 2. For 1 - side <= at <= 2 side - 2. */
PLACEMENT_FN int placement_reflected(int at, int side) {
    if (at < 0)
        return -at;
    return at < side ? at : 2 * (side - 1) - at;
}

/* Where (row, column) of the turned record comes from: width row + column of the record, or -1:
 * outside. The rotation looks its source up from coordinates that count half pixels from the
 * centre, 1 - side to side - 1, which keeps the map exact in integers. */
PLACEMENT_FN int placement_turned(const Placement *p, int height, int width, int row, int column) {
    int32_t u, v;
    int from_row, from_column;
    if (row < 0 || row >= height || column < 0 || column >= width)
        return -1;
    u = 2 * column - (width - 1);
    v = 2 * row - (height - 1);
    /* below 2^16 (63 + 63 + 64), back to pixels rounded: (half pixels + side - 1 + 1) / 2, floor */
    from_column = (p->cosine * u - p->sine * v + width * PLACEMENT_ONE) >> 17;
    from_row = (p->sine * u + p->cosine * v + height * PLACEMENT_ONE) >> 17;
    if (from_row < 0 || from_row >= height || from_column < 0 || from_column >= width)
        return -1;
    return from_row * width + from_column;
}

/* On one axis: the two neighbours between which a pixel lies, and how much there is of each, of
 * PIXEL_SHARES. */
typedef struct PixelTaps {
    int at[2];
    int32_t share[2];
} PixelTaps;

/* Pixel `at` of `side` that `count` pixels from `first` on are enlarged to, count <= side: bilinear
 * with centres at half pixels, clamped at the part's ends; PIL's resize, to the bit. */
PLACEMENT_FN PixelTaps placement_taps(int first, int count, int side, int at) {
    /* in 1 / (2 side) of a source pixel: how far its centre is from the first one's, at least
     * count - side */
    int distance = (2 * at + 1) * count - side;
    int below = (distance + 2 * side) / (2 * side) - 1; /* rounded down */
    int part = distance - below * 2 * side;
    PixelTaps taps;
    taps.at[0] = first + (below < 0 ? 0 : below);
    taps.at[1] = first + (below + 1 < count ? below + 1 : count - 1);
    taps.share[0] = ((2 * side - part) * PIXEL_SHARES + side) / (2 * side);
    taps.share[1] = (part * PIXEL_SHARES + side) / (2 * side);
    return taps;
}

/* Rounded as PIL does, to a byte after each axis. */
PLACEMENT_FN int placement_blend(const PixelTaps *taps, int first, int second) {
    return (first * taps->share[0] + second * taps->share[1] + PIXEL_SHARES / 2) >> 22;
}

/* What pixel (y, x) of the image is made of: one place of the record, or four between which it
 * lies. As in placement_turned, -1 is outside. */
typedef struct PixelSource {
    int from[4]; /* [0] alone, or top left, top right, bottom left, bottom right */
    int four;    /* 0 or 1 */
    PixelTaps row, column;
} PixelSource;

PLACEMENT_FN PixelSource placement_source(const Placement *p, int height, int width, int y, int x) {
    int row = y + p->down, column = (p->mirror ? width - 1 - x : x) + p->right;
    PixelSource source = {{0}, 0, {{0}, {0}}, {{0}, {0}}};
    source.four = p->part_height > 0;
    if (source.four) {
        source.row = placement_taps(p->part_top, p->part_height, height, row);
        source.column = placement_taps(p->part_left, p->part_width, width, column);
        for (int i = 0; i < 4; i++)
            source.from[i] =
                placement_turned(p, height, width, source.row.at[i / 2], source.column.at[i % 2]);
        return source;
    }
    if (p->reflect) {
        row = placement_reflected(row, height);
        column = placement_reflected(column, width);
    }
    source.from[0] = placement_turned(p, height, width, row, column);
    return source;
}

/* The byte of one channel: `plane` of the record. */
PLACEMENT_FN uint8_t placement_byte(const PixelSource *source, const uint8_t *plane, uint8_t fill) {
    int top_left = source->from[0] < 0 ? fill : plane[source->from[0]];
    int top_right, bottom_left, bottom_right;
    if (!source->four)
        return (uint8_t)top_left;
    top_right = source->from[1] < 0 ? fill : plane[source->from[1]];
    bottom_left = source->from[2] < 0 ? fill : plane[source->from[2]];
    bottom_right = source->from[3] < 0 ? fill : plane[source->from[3]];
    return (uint8_t)placement_blend(&source->row,
                                    placement_blend(&source->column, top_left, top_right),
                                    placement_blend(&source->column, bottom_left, bottom_right));
}

/* Whether cutout covers pixel (y, x). */
PLACEMENT_FN int placement_is_cut(const Placement *p, int y, int x) {
    return y >= p->cut_top && y < p->cut_bottom && x >= p->cut_left && x < p->cut_right;
}

/* Divisions, not a multiplication by the reciprocal: they are what torchvision computes. With unit
 * 1 and powers of two nothing is rounded. */
PLACEMENT_FN float placement_scale(uint8_t byte, float unit, float mean, float std) {
    return ((float)byte / unit - mean) / std;
}

/* Brightness, then contrast about the mean of all images, which is 0 behind the scaling. */
PLACEMENT_FN float placement_jitter(const Placement *p, float scaled) {
    return (scaled + p->shift) * p->gain;
}

/* Whether pixel (y, x) is mixed. */
PLACEMENT_FN int mix_covers(const Mix *mix, int y, int x) {
    return y >= mix->top && y < mix->bottom && x >= mix->left && x < mix->right;
}

/* Both shares are exact in float. */
PLACEMENT_FN float mix_pixel(const Mix *mix, float first, float second) {
    float part = (float)mix->pixel_share / MIX_ONE;
    return first * (1 - part) + second * part;
}

/* How much of an image's target is class c, of MIX_ONE. */
PLACEMENT_FN int32_t mix_target(int32_t label, SecondLabel second, int64_t c) {
    return (c == label ? MIX_ONE - second.share : 0) + (c == second.label ? second.share : 0);
}

#undef PLACEMENT_FN
#endif
