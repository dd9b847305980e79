/* cpu/bf16_product: see bf16_product.h. */
#include "clones.h"

#if FOR_X86

#include "bf16_product.h"

/* Of a block of sums, which stays in registers. */
enum { BLOCK_VECTORS = 5, BLOCK_COLUMNS = 4 };

VECTOR_IN void block(const int vectors, const int columns, const Left *left, const Right *right,
                     int64_t first, float *c) {
    const int64_t next_left = left->vectors * VECTOR, next_pair = right->next_pair;
    const uint32_t *a = left->at + first, *at[BLOCK_COLUMNS];
    __m512 sum[BLOCK_VECTORS * BLOCK_COLUMNS];
    UNROLLED (n, columns)
        at[n] = right->at + n * right->next_column;
    UNROLLED (i, vectors * columns)
        sum[i] = _mm512_setzero_ps();
    for (int64_t p = 0; p < left->pairs; p++, a += next_left) {
        __m512bh rows[BLOCK_VECTORS];
        UNROLLED (v, vectors)
            rows[v] = (__m512bh)_mm512_loadu_si512(a + VECTOR * v);
        UNROLLED (n, columns) {
            __m512bh word = (__m512bh)_mm512_set1_epi32((int)at[n][p * next_pair]);
            UNROLLED (v, vectors)
                sum[n * vectors + v] = _mm512_dpbf16_ps(sum[n * vectors + v], rows[v], word);
        }
    }
    UNROLLED (n, columns)
        UNROLLED (v, vectors)
            _mm512_storeu_ps(c + n * next_left + first + VECTOR * v, sum[n * vectors + v]);
}

/* Rows `first` on, of `vectors` vectors. */
VECTOR_IN void panel(const int vectors, const Left *left, Right right, int64_t columns,
                     int64_t first, float *c) {
    int64_t next = left->vectors * VECTOR;
    for (; columns >= BLOCK_COLUMNS; columns -= BLOCK_COLUMNS) {
        block(vectors, BLOCK_COLUMNS, left, &right, first, c);
        right.at += BLOCK_COLUMNS * right.next_column;
        c += BLOCK_COLUMNS * next;
    }
    for (; columns > 0; columns--, right.at += right.next_column, c += next)
        block(vectors, 1, left, &right, first, c);
}

VECTOR_FN void bf16_product(const Left *left, const Right *right, int64_t columns, float *c) {
    int64_t vectors;
    for (int64_t v = 0; v < left->vectors; v += vectors) {
        int64_t first = v * VECTOR;
        vectors = left->vectors - v;
        if (vectors > BLOCK_VECTORS)
            vectors = BLOCK_VECTORS - 1;
        if (vectors == 1)
            panel(1, left, *right, columns, first, c);
        else if (vectors == 2)
            panel(2, left, *right, columns, first, c);
        else if (vectors == 3)
            panel(3, left, *right, columns, first, c);
        else if (vectors == 4)
            panel(4, left, *right, columns, first, c);
        else
            panel(5, left, *right, columns, first, c);
    }
}

/* 16 rows of 16 words become their columns. */
VECTOR_IN void turn_block(__m512i *row) {
    __m512i other[VECTOR];
    UNROLLED (i, VECTOR / 2) { /* pairs of rows: words 4k, 4k + 1 of both; 4k + 2, 4k + 3 */
        other[2 * i] = _mm512_unpacklo_epi32(row[2 * i], row[2 * i + 1]);
        other[2 * i + 1] = _mm512_unpackhi_epi32(row[2 * i], row[2 * i + 1]);
    }
    UNROLLED (i, VECTOR / 4) { /* row[4i + k]: words 4j + k of rows 4i to 4i + 3 */
        const __m512i *of = other + 4 * i;
        row[4 * i] = _mm512_unpacklo_epi64(of[0], of[2]);
        row[4 * i + 1] = _mm512_unpackhi_epi64(of[0], of[2]);
        row[4 * i + 2] = _mm512_unpacklo_epi64(of[1], of[3]);
        row[4 * i + 3] = _mm512_unpackhi_epi64(of[1], of[3]);
    }
    UNROLLED (k, 4) { /* quarters j: of rows 0 to 7, of rows 8 to 15 */
        other[4 * k] = _mm512_shuffle_i32x4(row[k], row[4 + k], 0x88);
        other[4 * k + 1] = _mm512_shuffle_i32x4(row[k], row[4 + k], 0xdd);
        other[4 * k + 2] = _mm512_shuffle_i32x4(row[8 + k], row[12 + k], 0x88);
        other[4 * k + 3] = _mm512_shuffle_i32x4(row[8 + k], row[12 + k], 0xdd);
    }
    UNROLLED (k, 4) {
        row[k] = _mm512_shuffle_i32x4(other[4 * k], other[4 * k + 2], 0x88);
        row[4 + k] = _mm512_shuffle_i32x4(other[4 * k + 1], other[4 * k + 3], 0x88);
        row[8 + k] = _mm512_shuffle_i32x4(other[4 * k], other[4 * k + 2], 0xdd);
        row[12 + k] = _mm512_shuffle_i32x4(other[4 * k + 1], other[4 * k + 3], 0xdd);
    }
}

VECTOR_FN void bf16_turn(const uint32_t *from, int64_t next, int64_t rows, int64_t words,
                         uint32_t *to) {
    int64_t wide = (rows + VECTOR - 1) / VECTOR * VECTOR;
    for (int64_t r = 0; r < rows; r += VECTOR)
        for (int64_t w = 0; w < words; w += VECTOR) {
            __m512i block[VECTOR];
            UNROLLED (i, VECTOR)
                block[i] = r + i < rows ? _mm512_maskz_loadu_epi32(vector_lanes(words - w),
                                                                   from + (r + i) * next + w)
                                        : _mm512_setzero_si512();
            turn_block(block);
            UNROLLED (i, VECTOR)
                if (w + i < words)
                    _mm512_storeu_si512(to + (w + i) * wide + r, block[i]);
        }
}

VECTOR_FN void bf16_pair_rows(const uint16_t *from, int64_t next, int64_t rows, int64_t columns,
                              uint32_t *to) {
    for (int64_t r = 0; r < rows; r += 2, from += 2 * next, to += columns)
        for (int64_t c = 0; c < columns; c += VECTOR) {
            __m512i even = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(from + c)));
            __m512i odd = _mm512_setzero_si512();
            if (r + 1 < rows)
                odd = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(from + next + c)));
            _mm512_storeu_si512(to + c, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
        }
}

#endif
