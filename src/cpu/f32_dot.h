/* cpu/f32_dot: what multiplies fp32 here: sums of products, each rounded once. Local. */
#ifndef LOCKSTEP_CPU_F32_DOT_H
#define LOCKSTEP_CPU_F32_DOT_H

#include <stdbool.h>

#include "f32_vector.h"

/* Rows that the kernel computes at once, which lie side by side in a and c; and columns, of which
 * there may be any number: it is fastest where they are multiples of it. */
enum { F32_DOT_ROWS = 2 * VECTOR, F32_DOT_COLUMNS = 6 };

/* c[column][row] (+)= sum over k < terms of a[k][row] b[column][k], for F32_DOT_ROWS rows: term k
 * of column n of b is b[n * next_column + k * next_term]. Each sum goes through the terms in order
 * from 0, and is then added to c (`add`) or assigned. */
VECTOR_FN void f32_dot(int64_t columns, int64_t terms, const float *a, const float *b,
                       int64_t next_column, int64_t next_term, bool add, float *c);

#endif
