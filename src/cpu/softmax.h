/* cpu/softmax: softmax along rows, as attention needs it: of many short rows, in fp32, with the
 * same bits for every width of registers. Local. */
#ifndef LOCKSTEP_CPU_SOFTMAX_H
#define LOCKSTEP_CPU_SOFTMAX_H

#include <stdint.h>

/* row[n] = softmax(scale row), scale > 0. Minus infinity gives 0; a NaN makes the row NaN. */
void softmax_row(float *row, int64_t n, float scale);

/* grad[n], of share[n] = softmax_row, becomes that of the row: scale share (grad - sum of share
 * grad). */
void softmax_row_backward(const float *share, float *grad, int64_t n, float scale);

#endif
