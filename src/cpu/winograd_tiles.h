/* cpu/winograd_tiles: the tiles that Winograd's algorithm cuts a convolution into, whatever their
 * size and type. Header only. */
#ifndef LOCKSTEP_CPU_WINOGRAD_TILES_H
#define LOCKSTEP_CPU_WINOGRAD_TILES_H

#include "map.h"

enum { TAPS = 9 };

/* The tiles of a 3 x 3 convolution with stride 1 whose output pixel (y, x) sees input pixels
 * (y - pad .. y - pad + 2, x - pad .. x - pad + 2); those outside the map are 0. Tiles count along
 * rows, then down, then over images. */
typedef struct Tiles {
    Map in, out;
    int64_t pad;
} Tiles;

/* What happens to the outputs of a convolution before they are rounded. */
typedef struct Finish {
    const float *bias; /* [channels] added first, or NULL */
    bool add;          /* to what stands there, last */
    bool relu;         /* max(0, y) before that; NaN stays NaN */
} Finish;

/* A tile's image and the first of its output's pixels. */
typedef struct Tile {
    int64_t n, y, x;
} Tile;

static inline int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Of tiles of high x wide outputs. */
static inline int64_t tiles_of(const Tiles *tiles, int64_t high, int64_t wide) {
    return tiles->out.n * ceil_div(tiles->out.h, high) * ceil_div(tiles->out.w, wide);
}

static inline Tile tile_of(const Tiles *tiles, int64_t high, int64_t wide, int64_t index) {
    int64_t across = ceil_div(tiles->out.w, wide), down = ceil_div(tiles->out.h, high);
    return (Tile){index / (across * down), index / across % down * high, index % across * wide};
}

#endif
