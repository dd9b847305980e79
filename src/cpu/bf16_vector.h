/* cpu/bf16_vector: vectors of 16 floats for what AVX512-BF16 computes, and their way from and to
 * memory of bfloat16. Functions marked VECTOR_FN compile for such a processor whatever the rest of
 * the program is compiled for, so they may be called only where the processor has the instructions
 * (Processor.bf16_vectors). Header only. Local. */
#ifndef LOCKSTEP_CPU_BF16_VECTOR_H
#define LOCKSTEP_CPU_BF16_VECTOR_H

#include <immintrin.h>
#include <stdint.h>

#include "unrolled.h"

/* Tests name another processor, for which they emulate these (tests/emulated). */
#ifndef BF16_PROCESSOR
#define BF16_PROCESSOR "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma"
#endif
#define VECTOR_FN __attribute__((target(BF16_PROCESSOR)))
#define VECTOR_IN static inline __attribute__((always_inline)) VECTOR_FN

enum { VECTOR = 16, ALL_LANES = 0xffff };

typedef __m512 Vector;

/* The lanes of the next vector where `left` elements are left; none where none are. */
VECTOR_IN __mmask16 vector_lanes(int64_t left) {
    return left >= VECTOR ? ALL_LANES : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
}

/* 16 bfloat16s, zeros in the lanes that are not in `lanes`, whose memory is not touched. */
VECTOR_IN __m512 vector_load(const uint16_t *from, __mmask16 lanes) {
    __m256i half = lanes == ALL_LANES ? _mm256_loadu_si256((const void *)from)
                                      : _mm256_maskz_loadu_epi16(lanes, from);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* Each to the nearest bfloat16, at ties to even. */
VECTOR_IN void vector_store(uint16_t *to, __m512 value, __mmask16 lanes) {
    __m256i half = (__m256i)_mm512_cvtneps_pbh(value);
    if (lanes == ALL_LANES)
        _mm256_storeu_si256((void *)to, half);
    else
        _mm256_mask_storeu_epi16(to, lanes, half);
}

/* Likewise two vectors of 16: one conversion for both, which takes as long as for one. */
VECTOR_IN void vector_store_two(uint16_t *to, __m512 value, uint16_t *other, __m512 another) {
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(another, value);
    _mm256_storeu_si256((void *)to, _mm512_castsi512_si256(both));
    _mm256_storeu_si256((void *)other, _mm512_extracti64x4_epi64(both, 1));
}

/* Likewise as 16 pairs (even, odd), each in 32 bits: what a dot product multiplies at once. */
VECTOR_IN void vector_store_pairs(uint32_t *to, __m512 even, __m512 odd) {
    static const uint16_t order[2 * VECTOR] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                               21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                               11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi16(_mm512_loadu_si512(order), both));
}

/* a factor + b, rounded once. */
VECTOR_IN __m512 vector_fma(__m512 a, float factor, __m512 b) {
    return _mm512_fmadd_ps(a, _mm512_set1_ps(factor), b);
}

VECTOR_IN __m512 vector_scale(__m512 a, float factor) {
    return a * _mm512_set1_ps(factor);
}

#endif
