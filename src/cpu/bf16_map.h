/* cpu/bf16_map: activations of bfloat16 whose channels lie side by side: where they are in memory.
 * Local. */
#ifndef LOCKSTEP_CPU_BF16_MAP_H
#define LOCKSTEP_CPU_BF16_MAP_H

#include <stdbool.h>

#include "bf16_vector.h"
#include "lockstep/tensor.h"
#include "rule.h"

/* Activations in NHWC or in blocks of 16 channels. Element (n, c, y, x) is number
 * n h w c + (y w + x) pixel + c / 16 block + c % 16. */
typedef struct Map {
    int64_t n, c, h, w, pixel, block;
} Map;

/* Whether `tensor` lies so, and how. */
static inline bool map_fits(const Tensor *tensor) {
    return tensor->layout == LAYOUT_NHWC || tensor->layout == LAYOUT_BLOCKED16;
}

static inline Map map_of(const Tensor *tensor) {
    Shape s = tensor->shape;
    bool blocked = tensor->layout == LAYOUT_BLOCKED16;
    return (Map){.n = s.n,
                 .c = s.c,
                 .h = s.h,
                 .w = s.w,
                 .pixel = blocked ? VECTOR : s.c,
                 .block = blocked ? VECTOR * s.h * s.w : VECTOR};
}

/* The element's number; of a channel that is no multiple of 16 that of the vector it is in. */
static inline int64_t map_at(const Map *map, int64_t n, int64_t c, int64_t y, int64_t x) {
    return n * map->h * map->w * map->c + (y * map->w + x) * map->pixel + c / VECTOR * map->block;
}

/* Masks the gradient of a ReLU's output in place, where `value`, the output, is not above 0 (NULL:
 * no ReLU), and sum[c] = its sum over all images and pixels of channel c, per image, then over
 * images (NULL: not wanted). For processors with AVX512-BF16. */
VECTOR_FN void map_mask_and_sum(const Map *map, const uint16_t *value, uint16_t *gradient,
                                float *sum);

#endif
