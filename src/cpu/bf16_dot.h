/* cpu/bf16_dot: what multiplies bfloat16 here: dot products of pairs, summed in fp32. Local. */
#ifndef LOCKSTEP_CPU_BF16_DOT_H
#define LOCKSTEP_CPU_BF16_DOT_H

#include <stdbool.h>
#include <stdint.h>

#include "bf16_vector.h"

/* Rows that the kernel computes at once: `panel` of them, for as many rows as there are. */
static inline int64_t bf16_dot_panel(int64_t rows) {
    return rows % 64 == 0 ? 64 : 32;
}

/* Columns come in groups of so many; the last group is computed whole, so that its operands must
 * lie in memory (they may be anything) and c has room for it. */
enum { BF16_DOT_COLUMNS = 8 };

/* c[column][row] (+)= sum over p < pairs of a[p][row] . b[column][p], where . multiplies the two
 * bfloat16s of a pair by those of the other and adds both products (VDPBF16PS). `panel` rows, 32 or
 * 64, lie side by side in a and c; pair p of column n of b is b[n * next_column + p * next_pair].
 * Each sum goes through the pairs in order from 0, and is then added to c (`add`) or assigned. */
VECTOR_FN void bf16_dot(int64_t panel, int64_t columns, int64_t pairs, const uint32_t *a,
                        const uint32_t *b, int64_t next_column, int64_t next_pair, bool add,
                        float *c);

/* The same where b's columns are windows that overlap in memory, at any address of bfloat16s, and
 * in several lines: c[column][row] (+)= sum over l < lines and p < pairs of a[l][p][row] . the pair
 * at b[window[column] + l * next_line + 2 p]. Columns are computed in groups of BF16_DOT_COLUMNS:
 * `window` and c have room for whole ones. */
VECTOR_FN void bf16_dot_windows(int64_t panel, int64_t columns, int64_t lines, int64_t pairs,
                                const uint32_t *a, const uint16_t *b, const int64_t *window,
                                int64_t next_line, bool add, float *c);

#endif
