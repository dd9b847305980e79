/* cpu/bf16_product: products of small matrices of bfloat16, as attention needs them: of any number
 * of columns, and of rows in whole vectors. (bf16_dot.h is for large ones, packed in panels.)
 * Local.
 */
#ifndef LOCKSTEP_CPU_BF16_PRODUCT_H
#define LOCKSTEP_CPU_BF16_PRODUCT_H

#include "bf16_vector.h"

/* The left factor: a[pair][16 vectors] pairs of bfloat16. */
typedef struct Left {
    const uint32_t *at;
    int64_t vectors, pairs;
} Left;

/* The right factor: pair p of column n is at[n next_column + p next_pair]. */
typedef struct Right {
    const uint32_t *at;
    int64_t next_column, next_pair;
} Right;

/* c[column][16 vectors] = sum over pairs p of left[p][row] . right[column][p], in the order of p,
 * where . multiplies both numbers of a pair and adds both products (VDPBF16PS). */
VECTOR_FN void bf16_product(const Left *left, const Right *right, int64_t columns, float *c);

/* to[word][rows in whole vectors] = from[row][word], as a left factor whose pairs lie side by side
 * in from's rows; `next` words apart. Rows beyond the last are 0. */
VECTOR_FN void bf16_turn(const uint32_t *from, int64_t next, int64_t rows, int64_t words,
                         uint32_t *to);

/* to[row / 2][column] = (from[row][column], from[row + 1][column]), as a left factor whose pairs
 * are of two rows; `next` elements apart, columns in whole vectors. A row beyond the last is 0. */
VECTOR_FN void bf16_pair_rows(const uint16_t *from, int64_t next, int64_t rows, int64_t columns,
                              uint32_t *to);

#endif
