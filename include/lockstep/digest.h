/* digest: a hash of an array that is a sum over its elements. Header only. Local.
 *
 * Each element contributes 64 bits mixed from its place and its bits; the contributions are added
 * modulo 2^64. So the order of the additions does not matter, and a GPU gives the same number
 * whatever its blocks and threads. For one place the mixing is one to one: a single element that
 * differs always shows, several go unnoticed by a chance of 2^-64. It guards against faults, not
 * against an adversary. */
#ifndef LOCKSTEP_DIGEST_H
#define LOCKSTEP_DIGEST_H

#include <stdint.h>

/* Of a range of a flat buffer (DeviceOps.digest). */
typedef struct Digest {
    uint64_t hash; /* the sum */
    int64_t bad;   /* elements that are NaN or infinite */
} Digest;

#ifdef __CUDACC__
#define DIGEST_FN static __host__ __device__ inline
#else
#define DIGEST_FN static inline
#endif

/* One to one; every bit of x changes half of the bits (the finalizer of SplitMix64). */
DIGEST_FN uint64_t digest_mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* What element `place` with these bits adds. */
DIGEST_FN uint64_t digest_term(int64_t place, uint64_t bits) {
    return digest_mix(digest_mix((uint64_t)place) ^ bits);
}

#endif
