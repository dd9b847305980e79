/* cpu/winograd_transform: maps of bfloat16 to and from the tiled form of Winograd's algorithm
 * F(2x4, 3x3), beside the algorithm's constants.
 *
 * A tile is 2 x 4 pixels of a convolution's output, which follow from 4 x 6 of its input. With
 * matrices A, B, G down the columns of a tile and a, b, g along its rows
 *     y = A^T [(G w g^T) . (B^T x b)] a          output y, weights w, input x; . element-wise
 *     dw = G^T [(B^T x b) . (A dy a^T)] g         summed over all tiles
 * (Winograd 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). The
 * 24 elements of tiled form are called planes: all that is element-wise is summed over channels, or
 * over tiles, so each plane is a matrix product (bf16_dot.h). The matrices follow from the points
 * at which polynomials are evaluated (Cook and Toom): 0, 1, -1 and infinity down; 0, 11/16, -11/16,
 * 3/2, -3/2 and infinity along, where the usual 0, 1, -1, 2, -2 would lose more of bfloat16's
 * digits (Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for
 * Deep Neural Networks", 2020, search for such points). They also break the ties of equal
 * neighbours, which a gradient behind max pooling is full of: their sums would all round one way.
 *
 * Tiled form is bfloat16, rounded once; transforms compute in fp32, in an order that depends on
 * shapes alone. Channels may be any number; where tiled form has more (whole vectors) it holds
 * zeros. All functions are VECTOR_FN. Local. */
#ifndef LOCKSTEP_CPU_WINOGRAD_TRANSFORM_H
#define LOCKSTEP_CPU_WINOGRAD_TRANSFORM_H

#include <stdbool.h>

#include "bf16_map.h"

enum { PLANES = 24, TILE_H = 2, TILE_W = 4, TAPS = 9 };

/* The tiles of a convolution with stride 1 whose output pixel (y, x) sees input pixels
 * (y - pad .. y - pad + 2, x - pad .. x - pad + 2); those outside the map are 0. Tiles count along
 * rows, then down, then over images. */
typedef struct Tiles {
    Map in, out;
    int64_t pad;
} Tiles;

int64_t tiles_count(const Tiles *tiles);

/* What happens to the outputs of a convolution before they are rounded. */
typedef struct Finish {
    const float *bias; /* [channels] added first, or NULL */
    bool add;          /* to what stands there, last */
    bool relu;         /* max(0, y) before that; NaN stays NaN */
} Finish;

/* v[plane][tile][channels in whole vectors] = B^T x b of tiles [first, first + count); planes are
 * `plane` elements apart. */
VECTOR_FN void tiles_of_input(const Tiles *tiles, const uint16_t *x, int64_t first, int64_t count,
                              int64_t plane, uint16_t *v);

/* y = A^T m a for those tiles and the output's channels [channel, channel + width):
 * m[plane][tile][width], fp32. */
VECTOR_FN void tiles_to_output(const Tiles *tiles, const float *m, int64_t first, int64_t count,
                               int64_t plane, int64_t channel, int64_t width, const Finish *finish,
                               uint16_t *y);

/* For the gradient of weights tiles are what is summed over, so that they come in pairs, in 32
 * bits: v[plane][channel / 16][pair of `pairs`][16] = B^T x b, d[channel /
 * width][plane][pair][width] = A dy a^T, of pairs [first, first + count). `plane` is in pairs.
 * Where the last pair has one tile, the other's d is 0. d's channels are filled up to whole
 * `width`s. */
VECTOR_FN void tiles_of_input_pairs(const Tiles *tiles, const uint16_t *x, int64_t first,
                                    int64_t count, int64_t pairs, int64_t plane, uint32_t *v);
VECTOR_FN void tiles_of_gradient_pairs(const Tiles *tiles, const uint16_t *dy, int64_t first,
                                       int64_t count, int64_t plane, int64_t width, uint32_t *d);

/* Weights [out][in][3][3], fp32, as a convolution from `from` to `to` channels multiplies by them:
 * u[channel of `to` / width][plane][pair of channels of `from`][width] = G w g^T. `turned`: of the
 * convolution that brings gradients back, whose `from` are the output's channels and whose taps are
 * turned by half a circle. An odd number of `from` has a zero in its last pair. */
VECTOR_FN void tiles_of_weights(const float *weights, int64_t from, int64_t to, bool turned,
                                int64_t width, uint32_t *u);

/* dw[out][in][3][3] = G^T s g for the output's channels [out, out + width) and up to 16 of the
 * input's from `in` on: s[plane][16][width]. */
VECTOR_FN void tiles_to_weights(const Tiles *tiles, const float *s, int64_t out, int64_t in,
                                int64_t width, float *dw);

#endif
