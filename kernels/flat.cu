/* flat: work on ranges of the flat buffers: conversion to fixed point, native sums, partial norms,
 * the optimizers, digests. The arithmetic is that of the other backends, operation by operation, so
 * the same gradients give the same bits. */
#include "lockstep/digest.h"
#include "update.cuh"

/* Integer atomics: their order does not matter, and values are seldom bad. */
static __global__ void __launch_bounds__(BLOCK)
    to_fixed(int64_t *sum, const float *value, int64_t count, double scale, double bound, bool add,
             int64_t *bad) {
    int64_t i = flat_index();
    if (i >= count)
        return;
    double x = (double)value[i];
    int64_t fixed = 0;
    if (fabs(x) < bound) /* false for NaN */
        fixed = __double2ll_rn(x * scale);
    else
        atomicAdd((unsigned long long *)bad, 1ull);
    sum[i] = add ? sum[i] + fixed : fixed;
}

/* 2^-shift, a power of two by its exponent. */
static __device__ inline double down(int shift) {
    return __longlong_as_double((long long)(1023 - shift) << 52);
}

/* The SHIFT_BLOCK threads of a parameter's elements find the largest of their sizes, which are
 * compared as the integers that their bits are; what is read of `peak` may be old, and so too low:
 * then the atomic is for nothing. */
static __global__ void __launch_bounds__(BLOCK)
    to_shifted(int64_t *sum, int32_t *low, const float *value, int64_t count, Shifts shifts,
               double scale, double bound, bool add, int64_t *bad, float *peak) {
    int64_t i = flat_index();
    bool inside = i < count;
    int32_t param = inside ? shifts.param[i / SHIFT_BLOCK] : 0;
    float size = 0;
    if (inside) {
        int shift = shifts.shift[param];
        double x = (double)value[i];
        int64_t fixed = 0;
        if (fabs(x) < bound) { /* false for NaN */
            fixed = __double2ll_rn(x * (scale * down(shift)));
            size = fabsf(value[i]);
        } else {
            atomicAdd((unsigned long long *)bad, 1ull);
        }
        fixed = (int64_t)((uint64_t)fixed << shift) + (add ? sum[i] : 0);
        sum[i] = fixed;
        if (low)
            low[i] = (int32_t)(fixed >> shift);
    }
#pragma unroll
    for (int lanes = SHIFT_BLOCK / 2; lanes > 0; lanes /= 2)
        size = fmaxf(size, __shfl_xor_sync(~0u, size, lanes));
    if (inside && threadIdx.x % SHIFT_BLOCK == 0 && size > peak[param])
        atomicMax((unsigned *)&peak[param], __float_as_uint(size));
}

static __global__ void __launch_bounds__(BLOCK)
    widen(int64_t *sum, const int32_t *low, int64_t count, Shifts shifts) {
    int64_t i = flat_index();
    if (i < count)
        sum[i] =
            (int64_t)((uint64_t)(int64_t)low[i] << shifts.shift[shifts.param[i / SHIFT_BLOCK]]);
}

static __global__ void __launch_bounds__(BLOCK)
    to_real(float *sum, const float *value, int64_t count, bool add) {
    int64_t i = flat_index();
    if (i < count)
        sum[i] = add ? sum[i] + value[i] : value[i];
}

static __global__ void __launch_bounds__(BLOCK)
    norm(double *partial, const int64_t *fixed, const float *real, int64_t count, double scale) {
    __shared__ double sums[BLOCK];
    norm_chunks(partial, fixed, real, count, scale, sums);
}

/* What all elements of an update share. */
struct Shared {
    UpdateTerms terms;
    UpdateRange range;
    double grad_scale;
    OptimizerKind kind;
};

static __global__ void __launch_bounds__(BLOCK) update(Shared shared) {
    const UpdateRange &range = shared.range;
    int64_t i = flat_index();
    if (i >= range.count)
        return;
    float g = range.fixed ? update_gradient_fixed(range.fixed[i], shared.grad_scale)
                          : update_gradient_real(((const float *)range.real)[i], shared.grad_scale);
    update_element(shared.terms, shared.kind, g, range, i);
}

static __global__ void __launch_bounds__(BLOCK)
    lookahead(float *slow, float *fast, int64_t count, float alpha) {
    int64_t i = flat_index();
    if (i < count)
        update_lookahead(alpha, &slow[i], &fast[i]);
}

/* Elements are dealt out to a fixed number of threads at most, sums of blocks are added by integer
 * atomics: the order of additions modulo 2^64 does not matter. */
enum { DIGEST_BLOCKS = 1024 };

static __global__ void __launch_bounds__(BLOCK)
    digest(unsigned long long *sums, const uint32_t *bits, int64_t count) {
    __shared__ unsigned long long hashes[BLOCK], bads[BLOCK];
    unsigned long long hash = 0, bad = 0;
    for (int64_t i = flat_index(); i < count; i += (int64_t)gridDim.x * BLOCK) {
        hash += digest_term(i, bits[i]);
        bad += (bits[i] & 0x7f800000u) == 0x7f800000u; /* NaN or infinite */
    }
    hashes[threadIdx.x] = hash;
    bads[threadIdx.x] = bad;
    for (unsigned half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            hashes[threadIdx.x] += hashes[threadIdx.x + half];
            bads[threadIdx.x] += bads[threadIdx.x + half];
        }
    }
    if (threadIdx.x == 0) {
        atomicAdd(&sums[0], hashes[0]);
        atomicAdd(&sums[1], bads[0]);
    }
}

cudaError_t gpu_to_fixed(int64_t *sum, const float *value, int64_t count, double scale,
                         double bound, bool add, int64_t *bad, cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    to_fixed<<<blocks_for(count), BLOCK, 0, stream>>>(sum, value, count, scale, bound, add, bad);
    return cudaGetLastError();
}

cudaError_t gpu_to_shifted(int64_t *sum, int32_t *low, const float *value, int64_t count,
                           const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                           float *peak, cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    to_shifted<<<blocks_for(count), BLOCK, 0, stream>>>(sum, low, value, count, *shifts, scale,
                                                        bound, add, bad, peak);
    return cudaGetLastError();
}

cudaError_t gpu_widen(int64_t *sum, const int32_t *low, int64_t count, const Shifts *shifts,
                      cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    widen<<<blocks_for(count), BLOCK, 0, stream>>>(sum, low, count, *shifts);
    return cudaGetLastError();
}

cudaError_t gpu_to_real(float *sum, const float *value, int64_t count, bool add,
                        cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    to_real<<<blocks_for(count), BLOCK, 0, stream>>>(sum, value, count, add);
    return cudaGetLastError();
}

cudaError_t gpu_norm(double *partial, const int64_t *fixed, const float *real, int64_t count,
                     double scale, cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    norm<<<norm_blocks(count), BLOCK, 0, stream>>>(partial, fixed, real, count, scale);
    return cudaGetLastError();
}

cudaError_t gpu_update(const Update *update_, const UpdateRange *range, cudaStream_t stream) {
    Shared shared = {update_terms(update_, range->decay), *range, update_->grad_scale,
                     update_->kind};
    if (range->count < 1)
        return cudaErrorInvalidValue;
    update<<<blocks_for(range->count), BLOCK, 0, stream>>>(shared);
    return cudaGetLastError();
}

cudaError_t gpu_lookahead(float *slow, float *fast, int64_t count, float alpha,
                          cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    lookahead<<<blocks_for(count), BLOCK, 0, stream>>>(slow, fast, count, alpha);
    return cudaGetLastError();
}

cudaError_t gpu_digest(Digest *sums, const float *value, int64_t count, cudaStream_t stream) {
    unsigned blocks = blocks_for(count < DIGEST_BLOCKS * BLOCK ? count : DIGEST_BLOCKS * BLOCK);
    static_assert(sizeof *sums == 2 * sizeof(unsigned long long), "hash, then bad");
    if (count < 1)
        return cudaErrorInvalidValue;
    cudaError_t error = cudaMemsetAsync(sums, 0, sizeof *sums, stream);
    if (error != cudaSuccess)
        return error;
    digest<<<blocks, BLOCK, 0, stream>>>((unsigned long long *)sums, (const uint32_t *)value,
                                         count);
    return cudaGetLastError();
}
