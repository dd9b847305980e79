/* cpu/bf16_winograd_transform: maps of bfloat16 to and from the tiled form of Winograd's algorithm
 * F(2x4, 3x3).
 *
 * A tile is 2 x 4 pixels of a convolution's output, which follow from 4 x 6 of its input. Along its
 * rows F(4, 3) is that of winograd_points.h, down its columns F(2, 3) has the points 0, 1, -1 and
 * infinity. The 24 elements of tiled form are called planes: all that is element-wise there is
 * summed over channels, or over tiles, so each plane is a matrix product (bf16_dot.h).
 *
 * Tiled form is bfloat16, rounded once; transforms compute in fp32, in an order that depends on
 * shapes alone. Channels may be any number; where tiled form has more (whole vectors) it holds
 * zeros. All functions are VECTOR_FN. Local. */
#ifndef LOCKSTEP_CPU_BF16_WINOGRAD_TRANSFORM_H
#define LOCKSTEP_CPU_BF16_WINOGRAD_TRANSFORM_H

#include "bf16_vector.h"
#include "winograd_tiles.h"

enum { PLANES = 24, TILE_H = 2, TILE_W = 4 };

int64_t bf16_tiles_count(const Tiles *tiles);

/* v[plane][tile][channels in whole vectors] = B^T x b of tiles [first, first + count); planes are
 * `plane` elements apart. */
VECTOR_FN void bf16_tiles_of_input(const Tiles *tiles, const uint16_t *x, int64_t first,
                                   int64_t count, int64_t plane, uint16_t *v);

/* y = A^T m a for those tiles and the output's channels [channel, channel + width):
 * m[plane][tile][width], fp32. */
VECTOR_FN void bf16_tiles_to_output(const Tiles *tiles, const float *m, int64_t first,
                                    int64_t count, int64_t plane, int64_t channel, int64_t width,
                                    const Finish *finish, uint16_t *y);

/* For the gradient of weights tiles are what is summed over, so that they come in pairs, in 32
 * bits: v[plane][channel / 16][pair of `pairs`][16] = B^T x b, d[channel /
 * width][plane][pair][width] = A dy a^T, of pairs [first, first + count). `plane` is in pairs.
 * Where the last pair has one tile, the other's d is 0. d's channels are filled up to whole
 * `width`s. */
VECTOR_FN void bf16_tiles_of_input_pairs(const Tiles *tiles, const uint16_t *x, int64_t first,
                                         int64_t count, int64_t pairs, int64_t plane, uint32_t *v);
VECTOR_FN void bf16_tiles_of_gradient_pairs(const Tiles *tiles, const uint16_t *dy, int64_t first,
                                            int64_t count, int64_t plane, int64_t width,
                                            uint32_t *d);

/* Weights [out][in][3][3], fp32, as a convolution from `from` to `to` channels multiplies by them:
 * u[channel of `to` / width][plane][pair of channels of `from`][width] = G w g^T. `turned`: of the
 * convolution that brings gradients back, whose `from` are the output's channels and whose taps are
 * turned by half a circle. An odd number of `from` has a zero in its last pair. */
VECTOR_FN void bf16_tiles_of_weights(const float *weights, int64_t from, int64_t to, bool turned,
                                     int64_t width, uint32_t *u);

/* dw[out][in][3][3] = G^T s g for the output's channels [out, out + width) and up to 16 of the
 * input's from `in` on: s[plane][16][width]. */
VECTOR_FN void bf16_tiles_to_weights(const Tiles *tiles, const float *s, int64_t out, int64_t in,
                                     int64_t width, float *dw);

#endif
