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

/* *sum = sum of value[count], in a fixed order: for one warp. */
static __global__ void sum_all(float *sum, const double *value, uint32_t count) {
    double mine = 0;
    for (uint32_t i = threadIdx.x; i < count; i += WARP)
        mine += value[i];
    mine = warp_sum(mine);
    if (threadIdx.x == 0)
        sum[0] = (float)mine;
}

#endif
