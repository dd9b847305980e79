/* placement: how one uint8 record becomes one image of a batch: what augmentation drew for it. One
 * text for every device that makes images itself. Header only. Local.
 *
 * augment.h draws placements from the seed's counters and makes images on the CPU, row by row; a
 * GPU makes them from the same placements, pixel by pixel, with the functions here. Both give the
 * same bits: all geometry is in integers, and the last pass is a division, a subtraction and a
 * division in float. */
#ifndef LOCKSTEP_PLACEMENT_H
#define LOCKSTEP_PLACEMENT_H

#include <stdint.h>

#ifdef __CUDACC__
#define PLACEMENT_FN static __host__ __device__ inline
#else
#define PLACEMENT_FN static inline
#endif

enum {
    IMAGE_CHANNELS_MAX = 4,
    IMAGE_SIDE_MAX = 64, /* of a record and of an image, which are of one size */
    PLACEMENT_ONE = 1 << 16
};

/* Order: rotation, crop, mirror, cutout. */
typedef struct Placement {
    int32_t place;        /* of the record among those in memory */
    int32_t cosine, sine; /* of the angle, times PLACEMENT_ONE; counter-clockwise */
    int16_t down, right;  /* image[y][x] = rotated[y + down][x + right] */
    int16_t cut_top, cut_left, cut_bottom, cut_right; /* [top, bottom) x [left, right) is set to 0;
                                                         nothing where empty */
    uint8_t mirror;                                   /* after the crop */
    uint8_t fill;                                     /* what stands outside the record */
    uint16_t unused;                                  /* 0 */
} Placement;

/* Of one channel each: (byte / 255 - mean) / std. */
typedef struct PixelScale {
    float mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX];
} PixelScale;

/* The record as it is. */
PLACEMENT_FN Placement placement_plain(int32_t place) {
    Placement p;
    p.place = place;
    p.cosine = PLACEMENT_ONE;
    p.sine = 0;
    p.down = p.right = 0;
    p.cut_top = p.cut_left = p.cut_bottom = p.cut_right = 0;
    p.mirror = p.fill = 0;
    p.unused = 0;
    return p;
}

/* Where pixel (y, x) of the image comes from: width row + column of the record, or -1: outside. The
 * rotation looks its source up from coordinates that count half pixels from the centre, 1 - side to
 * side - 1, which keeps the map exact in integers. */
PLACEMENT_FN int placement_source(const Placement *p, int height, int width, int y, int x) {
    int row = y + p->down, column = (p->mirror ? width - 1 - x : x) + p->right;
    int32_t u = 2 * column - (width - 1), v = 2 * row - (height - 1);
    int from_row, from_column;
    if (row < 0 || row >= height || column < 0 || column >= width)
        return -1;
    /* below 2^16 (63 + 63 + 64), back to pixels rounded: (half pixels + side - 1 + 1) / 2, floor */
    from_column = (p->cosine * u - p->sine * v + width * PLACEMENT_ONE) >> 17;
    from_row = (p->sine * u + p->cosine * v + height * PLACEMENT_ONE) >> 17;
    if (from_row < 0 || from_row >= height || from_column < 0 || from_column >= width)
        return -1;
    return from_row * width + from_column;
}

/* Whether cutout covers pixel (y, x). */
PLACEMENT_FN int placement_is_cut(const Placement *p, int y, int x) {
    return y >= p->cut_top && y < p->cut_bottom && x >= p->cut_left && x < p->cut_right;
}

/* Divisions, not a multiplication by the reciprocal: they are what torchvision computes. */
PLACEMENT_FN float placement_scale(uint8_t byte, float mean, float std) {
    return ((float)byte / 255.0f - mean) / std;
}

#undef PLACEMENT_FN
#endif
