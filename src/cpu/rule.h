/* cpu/rule: the choices of layout and algorithm as pure functions, so that a lane is computed in
 * the same way in every process: nothing is timed. Free of oneDNN, so that tests can tabulate them.
 * Local. */
#ifndef LOCKSTEP_CPU_RULE_H
#define LOCKSTEP_CPU_RULE_H

#include <stdbool.h>

#include "lockstep/tensor.h"

/* Values of Tensor.layout on this backend; LAYOUT_PLAIN is N, C, H, W. In a blocked layout the
 * channels are cut into blocks of 8 or 16 which stand innermost: N, C/16, H, W, 16. A map of 1 x 1
 * looks the same in all of them and is always called plain. */
enum { LAYOUT_NHWC = 1, LAYOUT_BLOCKED8 = 2, LAYOUT_BLOCKED16 = 3 };

/* Whether a convolution in groups wants NHWC. In blocks oneDNN has fast code for groups of whole
 * blocks, and for depthwise kernels up to 3 x 3; for all others generic loops, a hundred times
 * slower (2.6.3: `ref:any`). In NHWC it has code for all. */
bool rule_groups_want_nhwc(int64_t groups, int64_t in, int64_t out, int64_t kernel, bool wide);

/* Assigns the layout of each activation of a program; shapes[0] is the image. `wide`: the
 * instruction set has 512-bit registers.
 *
 * All maps are blocked if the channels of each are whole blocks and no layer wants NHWC
 * (LayerType.along_channels, rule_groups_want_nhwc), else all are NHWC: one layout for the program,
 * since no op is to reorder its input. An image of 3 channels fills no block and stays plain before
 * a blocked program: oneDNN's first convolutions read it as it is. */
void rule_layouts(const Shape *shapes, int n, bool want_nhwc, bool wide, int *layouts);

/* The layout an op takes for `tensor` beside another tensor in layout `beside`: its own, but for
 * maps of 1 x 1, which fit any. */
int rule_layout_beside(const Tensor *tensor, int beside);

/* Whether a convolution is computed as a linear layer of its places: of 1 x 1 in one group, in
 * NHWC, where each place's channels are a row. With AVX2 oneDNN's 1 x 1 convolutions reach 45 to 80
 * % of the peak forward and 29 to 48 % backward (2.6.3, Zen 3, before this rule, 2026-11-27:
 * `bench/share vit --precision fp32`); what products gain stands in docs/design.md. With 512-bit
 * registers that was not measured. */
bool rule_places_are_rows(int layout, int64_t kernel, int64_t stride, int64_t pad, int64_t groups,
                          bool wide);

/* Whether oneDNN has Winograd's algorithm F(4x4, 3x3) for a convolution of one group; and whether
 * it pays, so that forward and backward go through it. bench/fit_rule holds the rule, and the next
 * two, to measurements. */
bool rule_winograd_fits(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad,
                        bool wide);
bool rule_winograd(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad, bool wide);

/* Likewise through F(4x4, 3x3) of our own for processors with AVX2 (winograd.h). */
bool rule_winograd_f32_fits(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad);
bool rule_winograd_f32(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad);

/* Likewise in bf16, through F(2x4, 3x3) of our own (winograd.h), whose channels may be any number.
 */
bool rule_winograd_bf16_fits(int64_t kernel, int64_t stride, int64_t pad);
bool rule_winograd_bf16(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad);

/* Whether the gradients of the weights of an image's convolution in bf16, of one group, go through
 * code of our own (image_conv.h): few channels, and outputs that fill vectors; and whether forward
 * does as well, of so many channels: where its pairs waste less than oneDNN's code. */
bool rule_image_conv_bf16(Shape in, Shape out, int64_t kernel, int64_t stride);
bool rule_image_conv_bf16_forward(int64_t channels, int64_t kernel);

/* Whether those of an image's convolution in fp32, of one group, do with AVX2 (f32_image_grad.h):
 * few channels, and outputs in whole vectors. */
bool rule_image_grad_f32(Shape in, Shape out, int64_t kernel, int64_t stride);

/* Whether the gradients of the weights of a linear layer of many rows in fp32 do with AVX2
 * (f32_rows_grad.h). */
bool rule_rows_grad_f32(int64_t rows, int64_t in, int64_t out);

/* Whether attention goes head by head through code of our own (attention_heads.h): of heads of
 * whole vectors. */
bool rule_attention_by_heads(Shape in, int64_t heads, int64_t vector);

/* Whether max pooling in fp32 goes through loops of our own (maxpool.c): windows of 2 x 2 that do
 * not overlap, on any processor; those of at most RULE_MAXPOOL_SIDE squared places, whose number
 * fits a byte, where registers are no wider than 256 bits: with wider ones oneDNN's code for all
 * other windows was not compared. */
enum { RULE_MAXPOOL_SIDE = 15 };
bool rule_maxpool(Shape out, int64_t kernel, int64_t stride, int64_t pad, bool wide);

/* Index of logical element (n, c, h, w) of a tensor of this shape in memory. */
int64_t rule_index(int layout, Shape shape, int64_t n, int64_t c, int64_t h, int64_t w);

#endif
