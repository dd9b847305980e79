/* cpu/f32_dot: see f32_dot.h.
 *
 * A block of 16 x 6 sums, 12 of 16 registers, stays in registers while the terms go by: each loads
 * 2 registers of `a` and broadcasts 6 floats of b, for 12 multiplications. */
#include "clones.h"

#if FOR_X86

#include "f32_dot.h"

enum { COLUMNS = F32_DOT_COLUMNS, VECTORS = F32_DOT_ROWS / VECTOR, REACH = 3 };

VECTOR_IN void block(const int columns, int64_t terms, const float *a, const float *b,
                     int64_t next_column, int64_t next_term, bool add, float *c) {
    const float *far = b + REACH * next_column; /* an address serves so many columns */
    Vector sum[COLUMNS][VECTORS];
    UNROLLED (n, columns) {
        UNROLLED (v, VECTORS)
            sum[n][v] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < terms; k++, a += F32_DOT_ROWS, b += next_term, far += next_term) {
        Vector left[VECTORS];
        UNROLLED (v, VECTORS)
            left[v] = _mm256_loadu_ps(a + VECTOR * v);
        UNROLLED (n, columns) {
            const float *at = n < REACH ? b + n * next_column : far + (n - REACH) * next_column;
            Vector right = _mm256_broadcast_ss(at);
            UNROLLED (v, VECTORS)
                sum[n][v] = _mm256_fmadd_ps(left[v], right, sum[n][v]);
        }
    }
    UNROLLED (n, columns) {
        UNROLLED (v, VECTORS) {
            float *to = c + F32_DOT_ROWS * n + VECTOR * v;
            if (add)
                sum[n][v] += _mm256_loadu_ps(to);
            _mm256_storeu_ps(to, sum[n][v]);
        }
    }
}

VECTOR_FN void f32_dot(int64_t columns, int64_t terms, const float *a, const float *b,
                       int64_t next_column, int64_t next_term, bool add, float *c) {
    for (; columns >= COLUMNS; columns -= COLUMNS) {
        block(COLUMNS, terms, a, b, next_column, next_term, add, c);
        b += COLUMNS * next_column;
        c += COLUMNS * F32_DOT_ROWS;
    }
    switch (columns) {
    case 5:
        block(5, terms, a, b, next_column, next_term, add, c);
        break;
    case 4:
        block(4, terms, a, b, next_column, next_term, add, c);
        break;
    case 3:
        block(3, terms, a, b, next_column, next_term, add, c);
        break;
    case 2:
        block(2, terms, a, b, next_column, next_term, add, c);
        break;
    case 1:
        block(1, terms, a, b, next_column, next_term, add, c);
        break;
    default:
        break;
    }
}

#endif
