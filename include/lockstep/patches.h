/* patches: how the pixels of the k x k patches of images go together. Local.
 *
 * Sums are of whole numbers, pixels as bytes: exact, so that they are the same however images are
 * shared out and in whatever order they come. Scaling comes afterwards. */
#ifndef LOCKSTEP_PATCHES_H
#define LOCKSTEP_PATCHES_H

#include <stdint.h>

#include "lockstep/placement.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Elements of a patch of images C x H x W: C k k, in the order channel, row, column. */
int64_t patch_elements(Shape image, int64_t kernel);

/* Numbers that patch_sums_add adds to: of patches, of each element, of each two elements. */
int64_t patch_sums_count(Shape image, int64_t kernel);

/* Adds all patches of pixels[images][C H W] to sums[patch_sums_count]. Fits for 2^31 patches. */
void patch_sums_add(Shape image, int64_t kernel, const uint8_t *pixels, int64_t images,
                    int64_t *sums);

/* moments[d][d], d = patch_elements: the mean over patches of the product of elements i and j,
 * pixels scaled as `scale` says (not rounded to float): the uncentred covariance. */
void patch_moments(Shape image, int64_t kernel, const PixelScale *scale, const int64_t *sums,
                   double *moments);

#ifdef __cplusplus
}
#endif
#endif
