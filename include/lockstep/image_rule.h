/* image_rule: how a device makes a batch of images from records in its memory: what is drawn for
 * each image, and what is the same for all of a run. Local.
 *
 * Order: placement up to the mirror, changes of bytes, scaling, the placement's brightness,
 * contrast and cutout, erasing, mixing with a partner that was made likewise. */
#ifndef LOCKSTEP_IMAGE_RULE_H
#define LOCKSTEP_IMAGE_RULE_H

#include "lockstep/pixel_change.h"
#include "lockstep/placement.h"

/* What is drawn for the images of a batch. */
typedef struct ImageDraws {
    Placement *placement; /* [images] */
    PixelChange *change;  /* [images][ImageRule.changes]; NULL where that is 0 */
} ImageDraws;

/* What is the same for all images of a run. */
typedef struct ImageRule {
    PixelScale scale;
    int32_t changes; /* of each image, PIXEL_CHANGES_MAX at most */
    EraseRule erase;
} ImageRule;

#endif
