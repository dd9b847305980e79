/* cpu/map: activations whose channels lie side by side: where they are in memory. Header only. */
#ifndef LOCKSTEP_CPU_MAP_H
#define LOCKSTEP_CPU_MAP_H

#include <stdbool.h>

#include "lockstep/tensor.h"
#include "rule.h"

/* Activations in NHWC or in blocks of channels, in vectors of `vector` channels. Element (n, c, y,
 * x) is number n h w c + (y w + x) pixel + c / vector block + c % vector. */
typedef struct Map {
    int64_t n, c, h, w, pixel, block;
} Map;

/* Whether `tensor` lies so: in NHWC, or in blocks of one vector. */
static inline bool map_fits(const Tensor *tensor, int64_t vector) {
    return tensor->layout == LAYOUT_NHWC ||
           tensor->layout == (vector == 16 ? LAYOUT_BLOCKED16 : LAYOUT_BLOCKED8);
}

static inline Map map_of(const Tensor *tensor, int64_t vector) {
    Shape s = tensor->shape;
    bool blocked = tensor->layout != LAYOUT_NHWC;
    return (Map){.n = s.n,
                 .c = s.c,
                 .h = s.h,
                 .w = s.w,
                 .pixel = blocked ? vector : s.c,
                 .block = blocked ? vector * s.h * s.w : vector};
}

/* The element's number; of a channel that is no multiple of `vector` that of the vector it is in.
 */
static inline int64_t map_at(const Map *map, int64_t vector, int64_t n, int64_t c, int64_t y,
                             int64_t x) {
    return n * map->h * map->w * map->c + (y * map->w + x) * map->pixel + c / vector * map->block;
}

static inline bool map_has(const Map *map, int64_t y, int64_t x) {
    return y >= 0 && y < map->h && x >= 0 && x < map->w;
}

#endif
