/* cpu/winograd_passes: what a convolution by Winograd's algorithm consists of, in one type and for
 * one kind of processor: bf16_winograd.h, f32_winograd.h. Header only. */
#ifndef LOCKSTEP_CPU_WINOGRAD_PASSES_H
#define LOCKSTEP_CPU_WINOGRAD_PASSES_H

#include <stddef.h>

#include "winograd_tiles.h"

/* `tiles` are those of a forward pass, or, turned round, of the convolution that brings gradients
 * back. Sizes are in bytes. */
typedef struct WinogradPasses {
    const char *name; /* what OpPlan.arithmetic says of an op that is computed so: "bf16 F(2x4)" */
    int64_t vector;   /* channels of a Map's vectors */
    size_t (*weights_bytes)(const Tiles *tiles);
    size_t (*conv_scratch)(const Tiles *tiles);
    size_t (*grad_scratch)(const Tiles *tiles);

    /* Weights [out][in][3][3] of a layer into tiled form; `turned`: for tiles turned round. */
    void (*pack)(const Tiles *tiles, const float *weights, bool turned, void *packed);

    void (*convolve)(const Tiles *tiles, const void *x, const void *packed, const Finish *finish,
                     void *y, void *scratch);

    /* dw[out][in][3][3], assigned. */
    void (*grad_weights)(const Tiles *tiles, const void *x, const void *dy, float *dw,
                         void *scratch);

    /* Masks the gradient of a ReLU's output in place, where `value`, the output, is not above 0
     * (NULL: no ReLU), and sum[c] = its sum over all images and pixels of channel c, per image,
     * then over images (NULL: not wanted). */
    void (*mask_and_sum)(const Map *map, const void *value, void *gradient, float *sum);
} WinogradPasses;

#endif
