/* cpu/tokens: what the kinds that move or sum tokens share. Maps are NHWC (LayerType.along_channels
 * sees to it), so that a token is a run of C elements, and an image a run of tokens. */
#ifndef LOCKSTEP_CPU_TOKENS_H
#define LOCKSTEP_CPU_TOKENS_H

#include "plan.h"
#include "rows.h"

/* to[n] = from[n], or to[n] += from[n], activations both. */
void token_put(DType type, const void *from, int64_t n, bool add, void *to);

/* to[n] = sum over `images` of from[image * stride + i], in their order. */
void token_sum(DType type, const void *from, int64_t images, int64_t stride, int64_t n, float *to);

#endif
