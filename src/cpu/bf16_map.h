/* cpu/bf16_map: passes over maps of bfloat16. Local. */
#ifndef LOCKSTEP_CPU_BF16_MAP_H
#define LOCKSTEP_CPU_BF16_MAP_H

#include "bf16_vector.h"
#include "map.h"

/* Masks the gradient of a ReLU's output in place, where `value`, the output, is not above 0 (NULL:
 * no ReLU), and sum[c] = its sum over all images and pixels of channel c, per image, then over
 * images (NULL: not wanted). For processors with AVX512-BF16. */
VECTOR_FN void map_mask_and_sum(const Map *map, const uint16_t *value, uint16_t *gradient,
                                float *sum);

#endif
