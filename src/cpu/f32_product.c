/* cpu/f32_product: see f32_product.h.
 *
 * A block of sums, 12 of 16 registers, stays in registers while the terms go by: of 2 vectors and 6
 * columns, or of 3 and 4, so that any number of vectors but one is a sum of such. */
#include "clones.h"

#if FOR_X86

#include "f32_product.h"

/* Columns of a block, by its vectors. */
enum { COLUMNS_MAX = 6, OF_ONE = 6, OF_TWO = 6, OF_THREE = 4 };

/* Vectors of the next panel where `left` are left: twos, with a three before an odd number. */
static int64_t panel_of(int64_t left) {
    return left == 1 ? 1 : left % 2 == 1 ? 3 : 2;
}

VECTOR_IN void block(const int vectors, const int columns, int64_t terms, const float *a,
                     const float *b, const Right *right, float *to, const Result *result) {
    const int64_t next_column = right->next_column, next_term = right->next_term;
    const float *far = b + 3 * next_column; /* an address serves three columns */
    Vector sum[COLUMNS_MAX][3];
    UNROLLED (n, columns) {
        UNROLLED (v, vectors)
            sum[n][v] = _mm256_setzero_ps();
    }
    for (int64_t k = 0; k < terms; k++, a += VECTOR * vectors, b += next_term, far += next_term) {
        Vector rows[3];
        UNROLLED (v, vectors)
            rows[v] = _mm256_loadu_ps(a + VECTOR * v);
        UNROLLED (n, columns) {
            Vector factor =
                _mm256_broadcast_ss(n < 3 ? b + n * next_column : far + (n - 3) * next_column);
            UNROLLED (v, vectors)
                sum[n][v] = _mm256_fmadd_ps(rows[v], factor, sum[n][v]);
        }
    }
    UNROLLED (n, columns) {
        UNROLLED (v, vectors) {
            float *at = to + n * result->next + VECTOR * v;
            if (result->add)
                sum[n][v] += _mm256_loadu_ps(at);
            _mm256_storeu_ps(at, sum[n][v]);
        }
    }
}

/* A panel of `vectors` vectors, `whole` columns at a time. */
VECTOR_IN void panel(const int vectors, const int whole, int64_t terms, const float *a,
                     const Right *right, int64_t columns, float *to, const Result *result) {
    const float *b = right->at;
    for (; columns >= whole; columns -= whole) {
        block(vectors, whole, terms, a, b, right, to, result);
        b += whole * right->next_column;
        to += whole * result->next;
    }
    if (columns == 5)
        block(vectors, 5, terms, a, b, right, to, result);
    else if (columns == 4)
        block(vectors, 4, terms, a, b, right, to, result);
    else if (columns == 3)
        block(vectors, 3, terms, a, b, right, to, result);
    else if (columns == 2)
        block(vectors, 2, terms, a, b, right, to, result);
    else if (columns == 1)
        block(vectors, 1, terms, a, b, right, to, result);
}

VECTOR_FN void f32_product(const Left *left, int64_t first, int64_t terms, const Right *right,
                           int64_t columns, const Result *to) {
    int64_t vectors;
    for (int64_t v = 0; v < left->vectors; v += vectors) {
        vectors = panel_of(left->vectors - v);
        const float *a = left->at + VECTOR * (v * left->terms + first * vectors);
        float *rows = to->at + VECTOR * v;
        if (vectors == 3)
            panel(3, OF_THREE, terms, a, right, columns, rows, to);
        else if (vectors == 2)
            panel(2, OF_TWO, terms, a, right, columns, rows, to);
        else
            panel(1, OF_ONE, terms, a, right, columns, rows, to);
    }
}

VECTOR_FN void f32_pack(const float *from, int64_t next, int64_t terms, int64_t vectors,
                        float *to) {
    int64_t wide;
    for (int64_t v = 0; v < vectors; v += wide) {
        wide = panel_of(vectors - v);
        for (int64_t k = 0; k < terms; k++)
            for (int64_t i = 0; i < wide; i++, to += VECTOR)
                _mm256_storeu_ps(to, _mm256_loadu_ps(from + k * next + VECTOR * (v + i)));
    }
}

/* 8 rows of 8 floats become their columns: halves of rows i and i + 4 are put together as they are
 * loaded, which costs no shuffle. */
VECTOR_IN void turn_block(const float *from, int64_t next, int64_t rows, float *to,
                          int64_t next_to) {
    static const float zeros[VECTOR];
    Vector half[VECTOR], pair[VECTOR];
    const float *at[VECTOR];
    UNROLLED (i, VECTOR)
        at[i] = i < rows ? from + i * next : zeros;
    UNROLLED (i, 4) { /* columns 0 to 3, then 4 to 7, of rows i and i + 4 */
        Vector low = _mm256_castps128_ps256(_mm_loadu_ps(at[i]));
        Vector high = _mm256_castps128_ps256(_mm_loadu_ps(at[i] + 4));
        half[i] = _mm256_insertf128_ps(low, _mm_loadu_ps(at[i + 4]), 1);
        half[4 + i] = _mm256_insertf128_ps(high, _mm_loadu_ps(at[i + 4] + 4), 1);
    }
    UNROLLED (h, 2) { /* of columns 4 h on */
        const Vector *of = half + 4 * h;
        pair[4 * h] = _mm256_unpacklo_ps(of[0], of[1]);
        pair[4 * h + 1] = _mm256_unpackhi_ps(of[0], of[1]);
        pair[4 * h + 2] = _mm256_unpacklo_ps(of[2], of[3]);
        pair[4 * h + 3] = _mm256_unpackhi_ps(of[2], of[3]);
    }
    UNROLLED (h, 2) {
        const Vector *of = pair + 4 * h;
        float *column = to + 4 * h * next_to;
        _mm256_storeu_ps(column, _mm256_shuffle_ps(of[0], of[2], 0x44));
        _mm256_storeu_ps(column + next_to, _mm256_shuffle_ps(of[0], of[2], 0xee));
        _mm256_storeu_ps(column + 2 * next_to, _mm256_shuffle_ps(of[1], of[3], 0x44));
        _mm256_storeu_ps(column + 3 * next_to, _mm256_shuffle_ps(of[1], of[3], 0xee));
    }
}

VECTOR_FN void f32_turn(const float *from, int64_t next, int64_t rows, int64_t terms, float *to) {
    const int64_t vectors = (rows + VECTOR - 1) / VECTOR;
    int64_t wide;
    for (int64_t v = 0; v < vectors; v += wide, to += VECTOR * wide * terms) {
        wide = panel_of(vectors - v);
        for (int64_t i = 0; i < wide; i++) {
            const int64_t row = VECTOR * (v + i);
            for (int64_t k = 0; k < terms; k += VECTOR)
                turn_block(from + row * next + k, next, rows - row, to + VECTOR * (wide * k + i),
                           VECTOR * wide);
        }
    }
}

#endif
