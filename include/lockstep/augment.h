/* augment: from uint8 records to normalised float images. Local.
 *
 * Every random choice comes from RNG_AUGMENT counters (epoch, record number), so an image is
 * changed in the same way whichever rank, thread or device does it. Order: rotation, crop, flip,
 * normalisation, cutout. Counter block 0 words: crop row, crop column, flip, angle; block 1: cutout
 * row, cutout column. */
#ifndef LOCKSTEP_AUGMENT_H
#define LOCKSTEP_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/placement.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Augment {
    int64_t
        crop_pad; /* pixels padded on each side before a random crop to the size it had; 0: none */
    int64_t pad_fill; /* byte value of padding and of corners a rotation uncovers, 0 to 255 */
    double flip;      /* probability of a horizontal mirror */
    double rotate;    /* largest angle in degrees, either way (positive: counter-clockwise);
                         nearest-neighbour; 0: none */
    int64_t cutout; /* side of a square set to the mean (0 after normalisation), centre anywhere; 0:
                       none */
    float mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX]; /* of pixel / 255, per channel */
} Augment;

/* What the seed's counters draw for a record of number `record`, which is the one at `place` of
 * those in memory. `shape` here and below: of the record and of the image. */
Placement augment_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                       int64_t record, int32_t place);

/* What placement_scale wants of each channel. */
PixelScale augment_scale(const Augment *augment);

/* The training version of one record: image[c][h][w]. */
void augment_train(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                   int64_t record, const uint8_t *pixels, float *image);

/* The evaluation version: normalisation alone. */
void augment_plain(const Augment *augment, Shape shape, const uint8_t *pixels, float *image);

#ifdef __cplusplus
}
#endif
#endif
