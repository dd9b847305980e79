/* warp: sums and maxima over the lanes of a warp; every lane gets the result, of the same bits. */
#ifndef LOCKSTEP_KERNELS_WARP_CUH
#define LOCKSTEP_KERNELS_WARP_CUH

#include "common.cuh"

enum { WARP = 32, WARPS = BLOCK / WARP };

template <typename Real> static __device__ inline Real warp_sum(Real x) {
#pragma unroll
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
        x += __shfl_xor_sync(~0u, x, lanes);
    return x;
}

/* Of NaNs only if all are. */
static __device__ inline float warp_max(float x) {
#pragma unroll
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
        x = fmaxf(x, __shfl_xor_sync(~0u, x, lanes));
    return x;
}

#endif
