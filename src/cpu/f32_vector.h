/* cpu/f32_vector: vectors of 8 floats for what is multiplied and added in one instruction (AVX2,
 * FMA3). Functions marked VECTOR_FN compile for such a processor whatever the rest of the program
 * is compiled for, so they may be called only where the processor has the instructions
 * (Processor.f32_vectors). Header only. Local. */
#ifndef LOCKSTEP_CPU_F32_VECTOR_H
#define LOCKSTEP_CPU_F32_VECTOR_H

#include <immintrin.h>
#include <stdint.h>

#include "unrolled.h"

#define VECTOR_FN __attribute__((target("avx2,fma")))
#define VECTOR_IN static inline __attribute__((always_inline)) VECTOR_FN

enum { VECTOR = 8 };

typedef __m256 Vector;

/* a factor + b, rounded once. */
VECTOR_IN Vector vector_fma(Vector a, float factor, Vector b) {
    return _mm256_fmadd_ps(a, _mm256_set1_ps(factor), b);
}

VECTOR_IN Vector vector_scale(Vector a, float factor) {
    return a * _mm256_set1_ps(factor);
}

#endif
