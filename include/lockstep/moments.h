/* moments: mean and standard deviation of each channel of images. Local.
 *
 * Sums are of whole numbers, pixels as bytes: exact, so that they are the same however images are
 * shared out and in whatever order they come. */
#ifndef LOCKSTEP_MOMENTS_H
#define LOCKSTEP_MOMENTS_H

#include <stdint.h>

#include "lockstep/placement.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many numbers moments_add adds to: of pixels, then sum and sum of squares of each channel. */
enum { MOMENTS_COUNT = 1 + 2 * IMAGE_CHANNELS_MAX };

/* Adds pixels[images][C H W] to sums. Fits for 2^31 images. */
void moments_add(Shape image, const uint8_t *pixels, int64_t images, int64_t sums[MOMENTS_COUNT]);

/* mean[C] and std[C] (of all pixels, not an estimate: divided by their number) of pixels of 0 to
 * 255. Each is rounded from exact numbers alone, so that it has the same bits everywhere; for at
 * least one image. */
void moments_take(Shape image, const int64_t sums[MOMENTS_COUNT], double *mean, double *std);

#ifdef __cplusplus
}
#endif
#endif
