/* update: what kernels of the optimizer share: an element of an update, and partial norms. */
#ifndef LOCKSTEP_KERNELS_UPDATE_CUH
#define LOCKSTEP_KERNELS_UPDATE_CUH

#include "common.cuh"
#include "lockstep/update_math.h"

static __device__ inline int64_t flat_index() {
    return (int64_t)blockIdx.x * BLOCK + threadIdx.x;
}

/* A chunk has 16 running sums, element i going to number i % 16, which are then added in order: a
 * thread each, 16 chunks a block. */
enum { SUMS = 16, CHUNKS = BLOCK / SUMS };

/* partial[chunk] of the chunks of a block, the one of that number; sums[BLOCK] is shared memory. */
static __device__ inline void norm_chunks_of(int64_t block, double *partial, const int64_t *fixed,
                                             const float *real, int64_t count, double scale,
                                             double *sums) {
    int64_t chunk = block * CHUNKS + threadIdx.x / SUMS;
    int64_t begin = chunk * NORM_CHUNK, end = min(begin + NORM_CHUNK, count);
    double sum = 0;
#pragma unroll 8
    for (int64_t i = begin + threadIdx.x % SUMS; i < end; i += SUMS) {
        double g = (fixed ? (double)fixed[i] : (double)real[i]) * scale;
        sum += g * g;
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x % SUMS != 0 || begin >= count)
        return;
    double total = 0;
    for (int s = 0; s < SUMS; s++)
        total += sums[threadIdx.x + s];
    partial[chunk] = total;
}

static __device__ inline void norm_chunks(double *partial, const int64_t *fixed, const float *real,
                                          int64_t count, double scale, double *sums) {
    norm_chunks_of(blockIdx.x, partial, fixed, real, count, scale, sums);
}

static inline unsigned norm_blocks(int64_t count) {
    int64_t chunks = (count + NORM_CHUNK - 1) / NORM_CHUNK;
    return (unsigned)((chunks + CHUNKS - 1) / CHUNKS);
}

/* Element i of a range, whose gradient is g. */
static __device__ inline void update_element(const UpdateTerms &terms, OptimizerKind kind, float g,
                                             const UpdateRange &range, int64_t i) {
    float *slot0 = (float *)range.slot[0], *slot1 = (float *)range.slot[1];
    float *ema = (float *)range.ema;
    float *slot2 = (float *)range.slot[2];
    float w = ((float *)range.weight)[i], first = slot0 ? slot0[i] : 0;
    float second = slot1 ? slot1[i] : 0, third = slot2 ? slot2[i] : 0;
    switch (kind) {
    case OPTIMIZER_SGD:
        update_sgd(&terms, g, &w, &first);
        break;
    case OPTIMIZER_ADAM:
    case OPTIMIZER_ADAMW:
        update_adam(&terms, g, &w, &first, &second);
        break;
    case OPTIMIZER_RMSPROP:
        update_rmsprop(&terms, g, &w, &first, &second, &third);
        break;
    case OPTIMIZER_LARS:
        update_lars(&terms, g, &w, &first);
        break;
    case OPTIMIZER_LAMB:
        update_lamb(&terms, update_lamb_direction(&terms, g, w, &first, &second), &w);
        break;
    case OPTIMIZER_MUON: /* of matrices */
    case OPTIMIZER_NONE:
        break;
    }
    if (slot0)
        slot0[i] = first;
    if (slot1)
        slot1[i] = second;
    if (slot2)
        slot2[i] = third;
    ((float *)range.weight)[i] = w;
    if (ema) {
        float average = ema[i];
        update_ema(&terms, w, &average);
        ema[i] = average;
    }
}

#endif
