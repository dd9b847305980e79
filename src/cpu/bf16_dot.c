/* cpu/bf16_dot: see bf16_dot.h.
 *
 * A block of 64 x 4 or 32 x 8 sums, 16 registers, stays in registers while the pairs go by: each
 * pair loads 4 or 2 registers of `a` and broadcasts 4 or 8 words of b, for 16 multiplications. */
#include "clones.h"

#if FOR_X86

#include "bf16_dot.h"

#include <string.h>

enum { SUMS = 16 };

VECTOR_IN void block(const int vectors, int64_t pairs, const uint32_t *a, const uint32_t *b,
                     int64_t next_column, int64_t next_pair, bool add, float *c) {
    enum { GROUP = 2 }; /* columns an address serves */
    const int columns = SUMS / vectors, row = VECTOR * vectors;
    const uint32_t *at[SUMS / GROUP];
    __m512 sum[SUMS];
    UNROLLED (g, columns / GROUP)
        at[g] = b + GROUP * g * next_column;
    UNROLLED (i, SUMS) {
        if (add)
            _mm_prefetch((const char *)(c + VECTOR * i), _MM_HINT_T0);
        sum[i] = _mm512_setzero_ps();
    }
    for (int64_t p = 0; p < pairs; p++, a += row) {
        __m512bh left[4];
        UNROLLED (v, vectors)
            left[v] = (__m512bh)_mm512_loadu_si512(a + VECTOR * v);
        UNROLLED (n, columns) {
            const uint32_t *word = at[n / GROUP] + n % GROUP * next_column;
            __m512bh right = (__m512bh)_mm512_set1_epi32((int)*word);
            UNROLLED (v, vectors)
                sum[n * vectors + v] = _mm512_dpbf16_ps(sum[n * vectors + v], left[v], right);
        }
        UNROLLED (g, columns / GROUP)
            at[g] += next_pair;
    }
    UNROLLED (i, SUMS) {
        if (add)
            sum[i] += _mm512_loadu_ps(c + VECTOR * i);
        _mm512_storeu_ps(c + VECTOR * i, sum[i]);
    }
}

VECTOR_FN void bf16_dot(int64_t panel, int64_t columns, int64_t pairs, const uint32_t *a,
                        const uint32_t *b, int64_t next_column, int64_t next_pair, bool add,
                        float *c) {
    int64_t group = SUMS * VECTOR / panel;
    for (int64_t n = 0; n < columns; n += group, b += group * next_column, c += group * panel) {
        if (panel == 64)
            block(4, pairs, a, b, next_column, next_pair, add, c);
        else
            block(2, pairs, a, b, next_column, next_pair, add, c);
    }
}

VECTOR_IN void block_of_windows(const int vectors, int64_t lines, int64_t pairs, const uint32_t *a,
                                const uint16_t *b, const int64_t *window, int64_t next_line,
                                bool add, float *c) {
    const int columns = SUMS / vectors, row = VECTOR * vectors;
    const uint16_t *at[SUMS];
    __m512 sum[SUMS];
    UNROLLED (n, columns)
        at[n] = b + window[n];
    UNROLLED (i, SUMS)
        sum[i] = _mm512_setzero_ps();
    for (int64_t l = 0; l < lines; l++) {
        for (int64_t p = l * next_line, end = p + 2 * pairs; p < end; p += 2, a += row) {
            __m512bh left[4];
            UNROLLED (v, vectors)
                left[v] = (__m512bh)_mm512_loadu_si512(a + VECTOR * v);
            UNROLLED (n, columns) {
                int word;
                memcpy(&word, at[n] + p, sizeof word);
                __m512bh right = (__m512bh)_mm512_set1_epi32(word);
                UNROLLED (v, vectors)
                    sum[n * vectors + v] = _mm512_dpbf16_ps(sum[n * vectors + v], left[v], right);
            }
        }
    }
    UNROLLED (i, SUMS) {
        if (add)
            sum[i] += _mm512_loadu_ps(c + VECTOR * i);
        _mm512_storeu_ps(c + VECTOR * i, sum[i]);
    }
}

VECTOR_FN void bf16_dot_windows(int64_t panel, int64_t columns, int64_t lines, int64_t pairs,
                                const uint32_t *a, const uint16_t *b, const int64_t *window,
                                int64_t next_line, bool add, float *c) {
    int64_t group = SUMS * VECTOR / panel;
    for (int64_t n = 0; n < columns; n += group, window += group, c += group * panel) {
        if (panel == 64)
            block_of_windows(4, lines, pairs, a, b, window, next_line, add, c);
        else
            block_of_windows(2, lines, pairs, a, b, window, next_line, add, c);
    }
}

#endif
