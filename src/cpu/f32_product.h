/* cpu/f32_product: products of small matrices of floats, as attention needs them: of any number of
 * columns, and of rows in whole vectors. (f32_dot.h is for large ones in panels of 16 rows.) Local.
 */
#ifndef LOCKSTEP_CPU_F32_PRODUCT_H
#define LOCKSTEP_CPU_F32_PRODUCT_H

#include <stdbool.h>

#include "f32_vector.h"

/* The left factor, of `vectors` vectors of rows: panels of one to three vectors, one behind the
 * other, in each of which all rows of term k lie behind those of term k - 1. */
typedef struct Left {
    const float *at;
    int64_t vectors, terms;
} Left;

/* The right factor: term k of column n is at[n next_column + k next_term]. */
typedef struct Right {
    const float *at;
    int64_t next_column, next_term;
} Right;

/* Where a product goes: columns of contiguous rows, `next` apart; added, or assigned. */
typedef struct Result {
    float *at;
    int64_t next;
    bool add;
} Result;

/* to[column][row] (+)= sum over `terms` k of left[first + k][row] right[column][k]. Each sum goes
 * through the terms in order from 0, each product rounded together with its addition; it is then
 * added or assigned. */
VECTOR_FN void f32_product(const Left *left, int64_t first, int64_t terms, const Right *right,
                           int64_t columns, const Result *to);

/* to: the left factor of `terms` terms whose rows are columns of `from`; from[term][vectors], terms
 * `next` apart. */
VECTOR_FN void f32_pack(const float *from, int64_t next, int64_t terms, int64_t vectors, float *to);

/* to: the left factor whose rows are those of from[rows][terms], `next` apart; terms are whole
 * vectors. Rows beyond the last, up to whole vectors, are 0. */
VECTOR_FN void f32_turn(const float *from, int64_t next, int64_t rows, int64_t terms, float *to);

#endif
