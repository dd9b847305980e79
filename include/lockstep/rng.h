/* rng: counter-based random numbers. There is no generator state: a number is a pure function of
 * (seed, purpose, counter), so nothing has to be saved, and nothing depends on ranks or thread
 * timing.
 *
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC'11. Header only, so that CUDA kernels compute the same numbers from the same text. Local. */
#ifndef LOCKSTEP_RNG_H
#define LOCKSTEP_RNG_H

#include <stdint.h>

#ifdef __CUDACC__
#define RNG_FN static __host__ __device__ inline
#else
#define RNG_FN static inline
#endif

/* What a number is for. Two purposes never share a stream. Values are part of the format of
 * checkpoints: append, never renumber. */
typedef enum RngPurpose {
    RNG_INIT = 1,      /* counter: parameter index in the model, element / 4 */
    RNG_SHUFFLE = 2,   /* counter: epoch, lane, draw / 4 */
    RNG_AUGMENT = 3,   /* counter: epoch, record, draw / 4 */
    RNG_DROPOUT = 4,   /* counter: element / 4, lane and layer, step (dropout.h) */
    RNG_HOLDOUT = 5,   /* counter: draw / 4 */
    RNG_SYNTHETIC = 6, /* counter: record, draw / 4 */
    RNG_DROPPATH = 7   /* counter: image of the lane / 4, lane and layer, step (dropout.h) */
} RngPurpose;

typedef struct RngKey {
    uint32_t word[2];
} RngKey;

typedef struct RngBlock {
    uint32_t word[4];
} RngBlock;

/* The key of one purpose under one seed (splitmix64 of both, so that near seeds share nothing). */
RNG_FN RngKey rng_key(uint64_t seed, RngPurpose purpose) {
    uint64_t z = seed + (uint64_t)purpose * UINT64_C(0x9E3779B97F4A7C15);
    RngKey key;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    key.word[0] = (uint32_t)z;
    key.word[1] = (uint32_t)(z >> 32);
    return key;
}

/* Four uniform 32-bit words for one counter: ten rounds of Philox4x32. */
RNG_FN RngBlock rng_block(RngKey key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
    uint32_t k0 = key.word[0], k1 = key.word[1];
    RngBlock out;
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out.word[0] = c0;
    out.word[1] = c1;
    out.word[2] = c2;
    out.word[3] = c3;
    return out;
}

/* Word i of a block, i from 0 to 3: a kernel that indexes the array would put it into memory. */
RNG_FN uint32_t rng_word(RngBlock block, uint32_t i) {
    uint32_t low = i == 0 ? block.word[0] : block.word[1];
    uint32_t high = i == 2 ? block.word[2] : block.word[3];
    return i < 2 ? low : high;
}

enum { RNG_WIDE = 32 };

/* word[k][i] = word k of the block with counter c0 + i: the same rounds side by side, as loops that
 * compilers make vectors of. */
RNG_FN void rng_wide(RngKey key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
                     uint32_t word[4][RNG_WIDE]) {
    uint32_t k0 = key.word[0], k1 = key.word[1];
    for (int i = 0; i < RNG_WIDE; i++) {
        word[0][i] = c0 + (uint32_t)i;
        word[1][i] = c1;
        word[2][i] = c2;
        word[3][i] = c3;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < RNG_WIDE; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * word[0][i];
            uint64_t p1 = (uint64_t)0xCD9E8D57u * word[2][i];
            word[0][i] = (uint32_t)(p1 >> 32) ^ word[1][i] ^ k0;
            word[2][i] = (uint32_t)(p0 >> 32) ^ word[3][i] ^ k1;
            word[1][i] = (uint32_t)p1;
            word[3][i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* Uniform in [0, 1): the top 24 bits, exact in float. */
RNG_FN float rng_unit(uint32_t word) {
    return (float)(word >> 8) * 0x1p-24f;
}

/* Uniform integer in [0, n), n > 0, by multiplication (bias below n / 2^32). */
RNG_FN uint32_t rng_below(uint32_t word, uint32_t n) {
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

#undef RNG_FN
#endif
