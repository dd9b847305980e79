/* flat: work on ranges of the flat buffers: conversion to fixed point, native sums, partial norms,
 * the optimizers, digests. The arithmetic is that of the other backends, operation by operation, so
 * the same gradients give the same bits. */
#include "lockstep/digest.h"
#include "update.cuh"

/* Whether a value is not bad; bad ones are counted. Integer atomics: their order does not matter,
 * and values are seldom bad. */
static __device__ inline bool is_good(float value, double bound, int64_t *bad) {
    if (fabs((double)value) < bound) /* false for NaN */
        return true;
    atomicAdd((unsigned long long *)bad, 1ull);
    return false;
}

static __global__ void __launch_bounds__(BLOCK)
    to_fixed(int64_t *sum, const float *value, int64_t count, double scale, double bound, bool add,
             int64_t *bad) {
    int64_t i = flat_index();
    if (i >= count)
        return;
    int64_t fixed = is_good(value[i], bound, bad) ? __double2ll_rn((double)value[i] * scale) : 0;
    sum[i] = add ? sum[i] + fixed : fixed;
}

/* Where terms have an element: (word `at` << shift) & mask are the bits of a float, as those of a
 * bfloat16 are its upper half. */
struct TermPlace {
    int64_t at;
    uint32_t shift, mask;
};

/* Of element i of the range; zero between parameters. The threads of a warp read runs of a few
 * channels from each of `area` places, the next warp the channels beside them: of the same lines,
 * which the cache has. No branch but one that all threads take: threads stay together. */
static __device__ inline TermPlace term_place(const Terms &terms, int64_t i) {
    if (!terms.param)
        return {terms.begin + i, 0, ~0u};
    const TermParam param = terms.param[terms.param_of[i / SHIFT_BLOCK]];
    uint32_t area = max(param.area, 1u), channels = max(param.channels, 1u);
    uint32_t element = (uint32_t)(terms.begin + i - param.begin);
    uint32_t row = element / area, place = element % area;
    uint32_t out = row / channels, channel = row % channels;
    uint32_t moved = (out * area + place) * channels + channel;
    bool inside = element < param.count, low = param.half && moved % 2 == 0;
    uint32_t word = param.half ? moved / 2 : moved;
    uint32_t mask = param.half ? 0xffff0000u : ~0u;
    return {param.begin + (inside ? word : 0), low ? 16u : 0u, inside ? mask : 0};
}

/* What the terms are at element i; 0 where there are fewer. All loads are under way before the
 * first is looked at. */
static __device__ inline void load_terms(float value[TERMS_MAX], const Terms &terms, int64_t i) {
    TermPlace place = term_place(terms, i);
    uint32_t word[TERMS_MAX];
#pragma unroll
    for (int t = 0; t < TERMS_MAX; t++)
        word[t] = t < terms.n ? ((const uint32_t *)terms.value[t])[place.at] : 0;
#pragma unroll
    for (int t = 0; t < TERMS_MAX; t++)
        value[t] = __uint_as_float(word[t] << place.shift & place.mask);
}

static __global__ void __launch_bounds__(BLOCK)
    sum_fixed(int64_t *sum, Terms terms, int64_t count, double scale, double bound, int64_t *bad) {
    int64_t i = flat_index(), total = 0;
    float value[TERMS_MAX];
    if (i >= count)
        return;
    load_terms(value, terms, i);
#pragma unroll
    for (int t = 0; t < TERMS_MAX; t++)
        if (t < terms.n && is_good(value[t], bound, bad))
            total += __double2ll_rn((double)value[t] * scale);
    sum[i] = total;
}

/* 2^-shift, a power of two by its exponent. */
static __device__ inline double down(int shift) {
    return __longlong_as_double((long long)(1023 - shift) << 52);
}

/* The SHIFT_BLOCK threads of a parameter's elements find the largest of their sizes, which are
 * compared as the integers that their bits are; what is read of `peak` may be old, and so too low:
 * then the atomic is for nothing. By all threads of a warp; `inside`: of an element. */
static __device__ inline void grow_peak(float *peak, float size, bool inside) {
#pragma unroll
    for (int lanes = SHIFT_BLOCK / 2; lanes > 0; lanes /= 2)
        size = fmaxf(size, __shfl_xor_sync(~0u, size, lanes));
    if (inside && threadIdx.x % SHIFT_BLOCK == 0 && size > *peak)
        atomicMax((unsigned *)peak, __float_as_uint(size));
}

static __global__ void __launch_bounds__(BLOCK)
    to_shifted(int64_t *sum, int32_t *low, const float *value, int64_t count, Shifts shifts,
               double scale, double bound, bool add, int64_t *bad, float *peak) {
    int64_t i = flat_index();
    bool inside = i < count;
    int32_t param = inside ? shifts.param[i / SHIFT_BLOCK] : 0;
    float size = 0;
    if (inside) {
        int shift = shifts.shift[param];
        int64_t fixed = 0;
        if (is_good(value[i], bound, bad)) {
            fixed = __double2ll_rn((double)value[i] * (scale * down(shift)));
            size = fabsf(value[i]);
        }
        fixed = (int64_t)((uint64_t)fixed << shift) + (add ? sum[i] : 0);
        sum[i] = fixed;
        if (low)
            low[i] = (int32_t)(fixed >> shift);
    }
    grow_peak(&peak[param], size, inside);
}

/* A sum of multiples of 2^shift: the digits are added as they are, and shifted once. */
static __global__ void __launch_bounds__(BLOCK)
    sum_shifted(int64_t *sum, int32_t *low, Terms terms, int64_t count, Shifts shifts, double scale,
                double bound, int64_t *bad) {
    int64_t i = flat_index(), total = 0;
    bool inside = i < count;
    int32_t param = inside ? shifts.param[i / SHIFT_BLOCK] : 0;
    int shift = shifts.shift[param];
    float value[TERMS_MAX] = {0};
    if (inside)
        load_terms(value, terms, i);
#pragma unroll
    for (int t = 0; t < TERMS_MAX; t++) {
        if (t >= terms.n)
            continue; /* of all threads */
        float size = 0;
        if (is_good(value[t], bound, bad)) {
            total += __double2ll_rn((double)value[t] * (scale * down(shift)));
            size = fabsf(value[t]);
        }
        grow_peak((float *)terms.peak[t] + param, size, inside);
    }
    if (!inside)
        return;
    sum[i] = (int64_t)((uint64_t)total << shift);
    if (low)
        low[i] = (int32_t)total;
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

static __global__ void __launch_bounds__(BLOCK) sum_real(float *sum, Terms terms, int64_t count) {
    int64_t i = flat_index();
    float value[TERMS_MAX];
    if (i >= count)
        return;
    load_terms(value, terms, i);
    float total = value[0];
#pragma unroll
    for (int t = 1; t < TERMS_MAX; t++)
        if (t < terms.n)
            total += value[t];
    sum[i] = total;
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

static bool is_sum(const Terms *terms, int64_t count) {
    return count >= 1 && terms->n >= 1 && terms->n <= TERMS_MAX;
}

cudaError_t gpu_sum_fixed(int64_t *sum, const Terms *terms, int64_t count, double scale,
                          double bound, int64_t *bad, cudaStream_t stream) {
    if (!is_sum(terms, count))
        return cudaErrorInvalidValue;
    sum_fixed<<<blocks_for(count), BLOCK, 0, stream>>>(sum, *terms, count, scale, bound, bad);
    return cudaGetLastError();
}

cudaError_t gpu_sum_shifted(int64_t *sum, int32_t *low, const Terms *terms, int64_t count,
                            const Shifts *shifts, double scale, double bound, int64_t *bad,
                            cudaStream_t stream) {
    if (!is_sum(terms, count))
        return cudaErrorInvalidValue;
    sum_shifted<<<blocks_for(count), BLOCK, 0, stream>>>(sum, low, *terms, count, *shifts, scale,
                                                         bound, bad);
    return cudaGetLastError();
}

cudaError_t gpu_sum_real(float *sum, const Terms *terms, int64_t count, cudaStream_t stream) {
    if (!is_sum(terms, count))
        return cudaErrorInvalidValue;
    sum_real<<<blocks_for(count), BLOCK, 0, stream>>>(sum, *terms, count);
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
