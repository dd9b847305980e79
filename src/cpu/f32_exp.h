/* cpu/f32_exp: powers of two of vectors of floats. Header only. Local. */
#ifndef LOCKSTEP_CPU_F32_EXP_H
#define LOCKSTEP_CPU_F32_EXP_H

#include "f32_vector.h"

/* 2^x for x <= 0, to 1e-7 of itself (tests/ops/test_cpu_exp.c); 1 of 0, 0 below -126, where
 * it would leave the normal numbers, and NaN of NaN. x = n + r with the nearest integer n, and 2^r
 * by a polynomial of Chebyshev's points: its own error is 1e-8. */
VECTOR_IN Vector vector_power_of_two(Vector x) {
    Vector n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    Vector r = x - n, value = _mm256_set1_ps(0x1.44138ap-13f);
    value = _mm256_fmadd_ps(value, r, _mm256_set1_ps(0x1.5f089p-10f));
    value = _mm256_fmadd_ps(value, r, _mm256_set1_ps(0x1.3b2a54p-7f));
    value = _mm256_fmadd_ps(value, r, _mm256_set1_ps(0x1.c6af6cp-5f));
    value = _mm256_fmadd_ps(value, r, _mm256_set1_ps(0x1.ebfbep-3f));
    value = _mm256_fmadd_ps(value, r, _mm256_set1_ps(0x1.62e43p-1f));
    value = _mm256_fmadd_ps(value, r, _mm256_set1_ps(1));
    __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    Vector power = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), exponent));
    Vector keeps = _mm256_cmp_ps(x, _mm256_set1_ps(-126), _CMP_NLT_UQ);
    return _mm256_and_ps(power, keeps);
}

#endif
