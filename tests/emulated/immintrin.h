/* In place of the compiler's header for what is compiled for any processor with AVX2 instead of one
 * with AVX512-BF16 (mk/emulated.mk): the same functions from SIMDe, which computes them by AVX2 and
 * plain C, and here those that SIMDe 0.7.4 has not, as Intel's manual defines them. What neither
 * has does not compile. Header only. */
#ifndef LOCKSTEP_TESTS_EMULATED_IMMINTRIN_H
#define LOCKSTEP_TESTS_EMULATED_IMMINTRIN_H

#include_next <immintrin.h>

#define BF16_PROCESSOR "avx2,fma" /* src/cpu/bf16_vector.h */

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <string.h>

#define EMULATED static inline __attribute__((unused))

enum { WORDS = 16, HALVES = 32 }; /* of 512 bits */

typedef union Bits {
    __m512 real;
    __m512i whole;
    __m256i half;
    float value[WORDS];
    uint32_t word[WORDS];
    int16_t lane[HALVES];
    uint16_t bits[HALVES];
} Bits;

/* ---- bfloat16 ---- */

/* To the nearest, at ties to even; denormals to 0, NaN to a quiet one. */
EMULATED uint16_t emulated_bf16(float value) {
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    if (value != value)
        return (uint16_t)(word >> 16 | 0x40);
    if ((word & 0x7f800000) == 0)
        return (uint16_t)(word >> 16 & 0x8000);
    return (uint16_t)((word + 0x7fff + (word >> 16 & 1)) >> 16);
}

/* Words 0 to 15 are those of b, then come those of a. */
EMULATED __m512bh emulated_cvtne2ps_pbh(__m512 a, __m512 b) {
    const Bits low = {b}, high = {a};
    Bits to;
    for (int i = 0; i < WORDS; i++) {
        to.bits[i] = emulated_bf16(low.value[i]);
        to.bits[WORDS + i] = emulated_bf16(high.value[i]);
    }
    return (__m512bh)to.whole;
}

EMULATED __m256bh emulated_cvtneps_pbh(__m512 a) {
    const Bits both = {.whole = (__m512i)emulated_cvtne2ps_pbh(a, a)};
    return (__m256bh)both.half;
}

/* Both products of each lane, the odd one first, each rounded together with its addition. */
EMULATED __m512 emulated_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b) {
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    const __m512i left = (__m512i)a, right = (__m512i)b;
    sum = _mm512_fmadd_ps((__m512)(left & upper), (__m512)(right & upper), sum);
    return _mm512_fmadd_ps((__m512)_mm512_slli_epi32(left, 16),
                           (__m512)_mm512_slli_epi32(right, 16), sum);
}

/* ---- Memory: a lane that is not in `lanes` is not touched ---- */

EMULATED __m512 emulated_mask_loadu_ps(__m512 or, __mmask16 lanes, const void *from) {
    Bits to = { or };
    for (int i = 0; i < WORDS; i++)
        if (lanes >> i & 1)
            memcpy(&to.word[i], (const uint32_t *)from + i, sizeof to.word[i]);
    return to.real;
}

EMULATED __m512 emulated_maskz_loadu_ps(__mmask16 lanes, const void *from) {
    return emulated_mask_loadu_ps(_mm512_setzero_ps(), lanes, from);
}

EMULATED __m512i emulated_maskz_loadu_epi32(__mmask16 lanes, const void *from) {
    return (__m512i)emulated_maskz_loadu_ps(lanes, from);
}

EMULATED __m256i emulated_maskz_loadu_epi16(__mmask16 lanes, const void *from) {
    Bits to = {_mm512_setzero_ps()};
    for (int i = 0; i < WORDS; i++)
        if (lanes >> i & 1)
            memcpy(&to.bits[i], (const uint16_t *)from + i, sizeof to.bits[i]);
    return to.half;
}

EMULATED void emulated_mask_storeu_ps(void *to, __mmask16 lanes, __m512 a) {
    const Bits from = {a};
    for (int i = 0; i < WORDS; i++)
        if (lanes >> i & 1)
            memcpy((uint32_t *)to + i, &from.word[i], sizeof from.word[i]);
}

EMULATED void emulated_mask_storeu_epi16(void *to, __mmask16 lanes, __m256i a) {
    const Bits from = {.half = a};
    for (int i = 0; i < WORDS; i++)
        if (lanes >> i & 1)
            memcpy((uint16_t *)to + i, &from.bits[i], sizeof from.bits[i]);
}

EMULATED __m512 emulated_mask_i32gather_ps(__m512 or, __mmask16 lanes, __m512i index,
                                           const void *from, int scale) {
    const Bits at = {.whole = index};
    Bits to = { or };
    for (int i = 0; i < WORDS; i++)
        if (lanes >> i & 1)
            memcpy(&to.word[i], (const char *)from + (int64_t)(int32_t)at.word[i] * scale,
                   sizeof to.word[i]);
    return to.real;
}

EMULATED __m512i emulated_mask_i32gather_epi32(__m512i or, __mmask16 lanes, __m512i index,
                                               const void *from, int scale) {
    return (__m512i)emulated_mask_i32gather_ps((__m512) or, lanes, index, from, scale);
}

EMULATED void emulated_mask_i32scatter_ps(void *to, __mmask16 lanes, __m512i index, __m512 a,
                                          int scale) {
    const Bits at = {.whole = index}, from = {a};
    for (int i = 0; i < WORDS; i++)
        if (lanes >> i & 1)
            memcpy((char *)to + (int64_t)(int32_t)at.word[i] * scale, &from.word[i],
                   sizeof from.word[i]);
}

/* ---- Integers ---- */

EMULATED __m512i emulated_cvtepu16_epi32(__m256i a) {
    const Bits from = {.half = a};
    Bits to;
    for (int i = 0; i < WORDS; i++)
        to.word[i] = from.bits[i];
    return to.whole;
}

EMULATED uint32_t emulated_cmpgt_epi16_mask(__m512i a, __m512i b) {
    const Bits left = {.whole = a}, right = {.whole = b};
    uint32_t lanes = 0;
    for (int i = 0; i < HALVES; i++)
        lanes |= (uint32_t)(left.lane[i] > right.lane[i]) << i;
    return lanes;
}

EMULATED __mmask16 emulated_256_cmpgt_epi16_mask(__m256i a, __m256i b) {
    return (__mmask16)emulated_cmpgt_epi16_mask(_mm512_castsi256_si512(a),
                                                _mm512_castsi256_si512(b));
}

/* ---- Over all lanes: halves with halves ---- */

EMULATED float emulated_reduce_add_ps(__m512 a) {
    Bits sum = {a};
    for (int n = WORDS / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            sum.value[i] += sum.value[n + i];
    return sum.value[0];
}

EMULATED float emulated_reduce_max_ps(__m512 a) {
    Bits most = {a};
    for (int n = WORDS / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            if (!(most.value[i] > most.value[n + i]))
                most.value[i] = most.value[n + i];
    return most.value[0];
}

#define _mm512_cvtneps_pbh  emulated_cvtneps_pbh
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps_pbh
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps         emulated_dpbf16_ps
#define _mm512_mask_loadu_ps     emulated_mask_loadu_ps
#define _mm512_maskz_loadu_ps    emulated_maskz_loadu_ps
#define _mm512_maskz_loadu_epi32 emulated_maskz_loadu_epi32
#define _mm256_maskz_loadu_epi16 emulated_maskz_loadu_epi16
#define _mm512_mask_storeu_ps    emulated_mask_storeu_ps
#define _mm256_mask_storeu_epi16 emulated_mask_storeu_epi16
#undef _mm512_mask_i32gather_ps
#define _mm512_mask_i32gather_ps emulated_mask_i32gather_ps
#undef _mm512_mask_i32gather_epi32
#define _mm512_mask_i32gather_epi32 emulated_mask_i32gather_epi32
#undef _mm512_mask_i32scatter_ps
#define _mm512_mask_i32scatter_ps emulated_mask_i32scatter_ps
#define _mm512_cvtepu16_epi32     emulated_cvtepu16_epi32
#define _mm512_cmpgt_epi16_mask   emulated_cmpgt_epi16_mask
#define _mm256_cmpgt_epi16_mask   emulated_256_cmpgt_epi16_mask
#define _mm512_reduce_add_ps      emulated_reduce_add_ps
#define _mm512_reduce_max_ps      emulated_reduce_max_ps

#endif
