/* cpu/bf16_map: see bf16_map.h. */
#include "clones.h"

#if FOR_X86

#include "bf16_map.h"

#include <stddef.h>

enum { AT_ONCE = 4 }; /* vectors, whose sums do not wait for each other */

/* The sums of one image's pixels of AT_ONCE vectors from channel c on, masked first. */
VECTOR_IN void image_sums(const Map *map, bool masks, const uint16_t *value, uint16_t *gradient,
                          int64_t n, int64_t c, __m512 sum[AT_ONCE]) {
    __mmask16 lanes[AT_ONCE];
    int64_t at[AT_ONCE];
    UNROLLED (v, AT_ONCE) {
        lanes[v] = vector_lanes(map->c - c - VECTOR * v);
        at[v] = map_at(map, VECTOR, n, lanes[v] ? c + VECTOR * v : c, 0, 0);
        sum[v] = _mm512_setzero_ps();
    }
    for (int64_t i = 0; i < map->h * map->w * map->pixel; i += map->pixel) {
        UNROLLED (v, AT_ONCE) {
            uint16_t *to = gradient + at[v] + i;
            __m256i dy = _mm256_maskz_loadu_epi16(lanes[v], to);
            if (masks) {
                __m256i y = _mm256_maskz_loadu_epi16(lanes[v], value + at[v] + i);
                dy = _mm256_maskz_mov_epi16(_mm256_cmpgt_epi16_mask(y, _mm256_setzero_si256()), dy);
                if (lanes[v] == ALL_LANES)
                    _mm256_storeu_si256((void *)to, dy);
                else
                    _mm256_mask_storeu_epi16(to, lanes[v], dy);
            }
            sum[v] += _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(dy), 16));
        }
    }
}

VECTOR_FN void map_mask_and_sum(const Map *map, const uint16_t *value, uint16_t *gradient,
                                float *sum) {
    for (int64_t c = 0; c < map->c; c += AT_ONCE * VECTOR) {
        __m512 total[AT_ONCE] = {0}, image[AT_ONCE];
        for (int64_t n = 0; n < map->n; n++) {
            if (value)
                image_sums(map, true, value, gradient, n, c, image);
            else
                image_sums(map, false, NULL, gradient, n, c, image);
            UNROLLED (v, AT_ONCE)
                total[v] += image[v];
        }
        UNROLLED (v, AT_ONCE) {
            if (sum)
                _mm512_mask_storeu_ps(sum + c + VECTOR * v, vector_lanes(map->c - c - VECTOR * v),
                                      total[v]);
        }
    }
}

#endif
