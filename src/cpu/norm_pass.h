/* cpu/norm_pass: the passes that normalisations of our own make over one image, in any layout and
 * type of activations. Each takes or makes numbers of each channel, in rows of scratch memory; what
 * they are of (a group of channels, a batch) is the caller's affair. Local. */
#ifndef LOCKSTEP_CPU_NORM_PASS_H
#define LOCKSTEP_CPU_NORM_PASS_H

#include "channels.h"

/* Rows of scratch, [channels] floats each. */
enum { SHIFT, FACTOR, SUM, SLOPE, SCALE, NORM_ROWS };

typedef struct NormPass {
    RowGrid grid;
    float *at[NORM_ROWS];
} NormPass;

/* Over activations like `tensor`; scratch[NORM_ROWS][channels]. */
NormPass norm_pass(const Tensor *tensor, float *scratch);

/* sum = sum over the map of x, or with `squares` of (x - shift)^2. Here and below x, y, grad and
 * grad_x begin with the image. */
void norm_moments(const NormPass *pass, const void *x, bool squares);

/* sum = sum over the map of x - shift; slope = that of (x - shift)^2. */
void norm_powers(const NormPass *pass, const void *x);

/* y = (x - shift) factor + bias; bias[channels]. */
void norm_apply(const NormPass *pass, const void *x, const float *bias, void *y);

/* sum = sum over the map of grad; slope = that of grad (x - shift) factor. */
void norm_slopes(const NormPass *pass, const void *x, const void *grad);

/* grad_x = (scale grad - sum - (x - shift) slope) factor, or with `add` that is added to it. */
void norm_give(const NormPass *pass, const void *x, const void *grad, bool add, void *grad_x);

#endif
