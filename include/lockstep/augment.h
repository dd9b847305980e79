/* augment: from uint8 records to normalised float images. Local.
 *
 * Every random choice comes from RNG_AUGMENT counters (epoch, record number), so an image is
 * changed in the same way whichever rank, thread or device does it. Order: rotation, crop or
 * resized crop, flip, policy, jitter, normalisation, brightness, contrast, cutout, erasing, mixing.
 *
 * Counter block 0 words: crop row, crop column, flip, angle; block 1: cutout row, cutout column;
 * block 2: brightness, contrast; block 3: jitter's brightness, contrast, saturation, hue; block 4:
 * their order; block 16 and up, one a resized crop's attempt: area, aspect, row, column. With a
 * fourth counter of 1, mixing: block 0: whether, which of two kinds, partner, box row; block 1: box
 * column; of 2: one block a trial of the beta distribution; of 3, erasing: block 0: whether; block
 * 1 and up, one an attempt: area, aspect, row, column; of 4: its noise, a word a number, by
 * channel, row, column; of 5: one block an op of the policy: which, way, magnitude. */
#ifndef LOCKSTEP_AUGMENT_H
#define LOCKSTEP_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/image_rule.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What stands outside a record: pad_fill, or the record mirrored about its edge pixels, which are
 * not repeated (PyTorch's and torchvision's "reflect"). */
typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT } PadMode;

/* Whether an image is mirrored: drawn anew each epoch; or drawn once, as in epoch 0, and turned
 * about in every other epoch, so that two epochs in a row show both sides of each image. */
typedef enum FlipMode { FLIP_RANDOM, FLIP_ALTERNATE } FlipMode;

/* What mean and std count: pixels as 0 to 1 (byte / 255), or as bytes. */
typedef enum PixelUnit { PIXEL_UNIT_ONE, PIXEL_UNIT_BYTE } PixelUnit;

/* Changes of an image's bytes, drawn from one table: so many ops at one magnitude, or one op at a
 * magnitude that is drawn as well. */
typedef enum Policy { POLICY_NONE, POLICY_RANDAUGMENT, POLICY_TRIVIALAUGMENT } Policy;
enum { POLICY_OPS_MAX = 14, POLICY_TABLE = 14, POLICY_BINS = 31 }; /* ops an image, to draw from */

typedef enum Jitter {
    JITTER_BRIGHTNESS,
    JITTER_CONTRAST,
    JITTER_SATURATION,
    JITTER_HUE,
    JITTERS
} Jitter;

/* What an erased part becomes: 0, which is the mean; erase_fill, normalised; numbers of the
 * standard normal distribution, each its own. */
typedef enum EraseWith { ERASE_MEAN, ERASE_FILL, ERASE_NOISE } EraseWith;

#define MIX_ALPHA_MIN 0.01

typedef struct Augment {
    /* pixels padded on each side before a random crop to the size it had; 0: none; with PAD_REFLECT
     * below each side */
    int64_t crop_pad;
    PadMode pad_mode; /* of crop_pad */
    /* of padding and of corners a rotation uncovers: 0 to 255, -1: as the first channel's */
    int16_t pad_fill[IMAGE_CHANNELS_MAX];
    /* of the image, smallest and largest share that a resized crop takes: 0 to 1; largest 0: none.
     * With it crop_pad is 0 */
    double area[2];
    double aspect[2]; /* its width / height, smallest and largest, above 0; uniform in the log */
    /* draws of area and aspect until one fits into the image; then the largest part at its centre
     * that is not beyond these aspects */
    int64_t attempts;
    double flip; /* probability of a horizontal mirror */
    FlipMode flip_mode;
    /* largest angle in degrees, either way (positive: counter-clockwise); nearest-neighbour; 0:
     * none */
    double rotate;
    Policy policy; /* images of 1 or 3 channels; pad_fill where it uncovers something */
    int64_t policy_ops, policy_magnitude; /* of RandAugment; magnitude: below POLICY_BINS */
    /* torchvision's ColorJitter, in an order that is drawn: factors of 1 - x (at least 0) to 1 + x;
     * hue: a turn of -x to x, x at most 1/2. Images of 1 or 3 channels */
    double jitter[JITTERS];
    double brightness; /* a number of -brightness to brightness is added to the scaled image */
    double contrast;   /* which is then multiplied by one of 1 - contrast to 1 + contrast */
    /* side of a square set to the mean (0 after normalisation), centre anywhere; 0: none */
    int64_t cutout;
    double erase;           /* probability that a part is written over */
    double erase_area[2];   /* of the image, smallest and largest share, above 0 */
    double erase_aspect[2]; /* its height / width likewise; uniform in the log */
    EraseWith erase_with;
    int16_t erase_fill[IMAGE_CHANNELS_MAX]; /* as pad_fill */
    /* alpha of the Beta(alpha, alpha) that says how much of two images is mixed, MIX_ALPHA_MIN to
     * 2; 0: none; both: one of them an image, drawn */
    double mixup, cutmix;
    double mix_probability; /* that an image is mixed at all */
    PixelUnit unit;
    /* Per channel; NaN: not known before there is a data set (config_fit_images), or there is no
     * such channel. */
    float mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX];
} Augment;

static inline bool augment_jitters(const Augment *augment) {
    return augment->jitter[JITTER_BRIGHTNESS] > 0 || augment->jitter[JITTER_CONTRAST] > 0 ||
           augment->jitter[JITTER_SATURATION] > 0 || augment->jitter[JITTER_HUE] > 0;
}

/* What the seed's counters draw for a record of number `record`, which is the one at `place` of
 * those in memory. `shape` here and below: of the record and of the image. */
Placement augment_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                       int64_t record, int32_t place);

/* Of the same record change[augment_rule's changes]: those of the policy, then jitter. */
void augment_draw_changes(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                          int64_t record, PixelChange *change);

/* What all images of a run under `seed` have in common. */
ImageRule augment_rule(const Augment *augment, uint64_t seed);
PixelScale augment_scale(const Augment *augment);

static inline bool augment_mixes(const Augment *augment) {
    return augment->mixup > 0 || augment->cutmix > 0;
}

/* What is drawn of mixing for the same record: with one of the `records` in memory, which are its
 * lane's. mix_none() where mixing is off. */
Mix augment_mix(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch, int64_t record,
                int64_t records);

/* The training version of one record: image[c][h][w], not mixed yet. */
void augment_train(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                   int64_t record, const uint8_t *pixels, float *image);

/* image = its mix with the image `second`. */
void augment_blend(const Mix *mix, Shape shape, const float *second, float *image);

/* The evaluation version: normalisation alone. */
void augment_plain(const Augment *augment, Shape shape, const uint8_t *pixels, float *image);

#ifdef __cplusplus
}
#endif
#endif
