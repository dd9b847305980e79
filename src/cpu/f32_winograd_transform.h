/* cpu/f32_winograd_transform: maps of fp32 to and from the tiled form of Winograd's algorithm
 * F(4x4, 3x3): winograd_points.h in both dimensions.
 *
 * A tile is 4 x 4 pixels of a convolution's output, which follow from 6 x 6 of its input. The 36
 * elements of tiled form are called planes: all that is element-wise there is summed over channels,
 * or over tiles, so each plane is a matrix product (f32_dot.h). Channels are multiples of VECTOR;
 * an output's come in panels of F32_DOT_ROWS, of which the last is filled up with zeros. All
 * functions are VECTOR_FN. Local. */
#ifndef LOCKSTEP_CPU_F32_WINOGRAD_TRANSFORM_H
#define LOCKSTEP_CPU_F32_WINOGRAD_TRANSFORM_H

#include "f32_dot.h"
#include "winograd_tiles.h"

enum { PLANES = 36, TILE = 4 };

/* v[plane][tile][channel] of tiles [first, first + count): tiles are `row` elements apart, planes
 * `plane`. */
VECTOR_FN void f32_tiles_of_input(const Tiles *tiles, const float *x, int64_t first, int64_t count,
                                  int64_t row, int64_t plane, float *v);

/* Those tiles of the output's channels [channel, channel + channels), a multiple of VECTOR, from
 * m[panel][plane][tile][F32_DOT_ROWS], planes `plane` apart. */
VECTOR_FN void f32_tiles_to_output(const Tiles *tiles, const float *m, int64_t first, int64_t count,
                                   int64_t plane, int64_t channel, int64_t channels,
                                   const Finish *finish, float *y);

/* d[panel][plane][tile][F32_DOT_ROWS], planes `plane` apart, of the output's gradient. */
VECTOR_FN void f32_tiles_of_gradient(const Tiles *tiles, const float *dy, int64_t first,
                                     int64_t count, int64_t plane, float *d);

/* Weights [out][in][3][3] as a convolution from `from` to `to` channels multiplies by them:
 * u[panel of `to`][plane][channel of `from`][F32_DOT_ROWS]. `turned`: of the convolution that
 * brings gradients back, whose `from` are the output's channels and whose taps are turned by half a
 * circle. */
VECTOR_FN void f32_tiles_of_weights(const float *weights, int64_t from, int64_t to, bool turned,
                                    float *u);

/* dw[out][in][3][3] for a panel of the output's channels from `out` on, and `count` of the input's
 * from `in` on: s[plane][count][F32_DOT_ROWS]. */
VECTOR_FN void f32_tiles_to_weights(const Tiles *tiles, const float *s, int64_t out, int64_t in,
                                    int64_t count, float *dw);

#endif
