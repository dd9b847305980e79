/* resize: a picture of any size as one of a data set's. Local. */
#ifndef LOCKSTEP_RESIZE_H
#define LOCKSTEP_RESIZE_H

#include <stdint.h>

#include "lockstep/status.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A part of a picture, in pixels. */
typedef struct Cut {
    int64_t x, y, w, h;
} Cut;

/* The largest part at the centre of a picture w x h that has the proportions of `to`. */
Cut resize_cut(int64_t w, int64_t h, Shape to);

/* The part `cut` of the planes of bytes planes[to.c][h][w] as out[to.c][to.h][to.w]: unchanged
 * where it has that size, else bilinear, with a filter as wide as what becomes one pixel where it
 * shrinks
 * ("antialias" of PyTorch's interpolate, and what Pillow's BILINEAR does). ST_INTERNAL: no memory.
 */
Status resize_planes(const uint8_t *planes, int64_t w, int64_t h, Cut cut, Shape to, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
