/* layerwise: LARS and LAMB of a tensor. Its norms are sums of gpu_norm's chunks, added in an order
 * that follows from their number alone; lr times the trust ratio stays in device memory. */
#include "common.cuh"
#include "lockstep/update_math.h"

/* One block: thread t adds every BLOCK-th partial sum from t on, then halves are added to halves.
 */
static __device__ inline double sum_of(const double *partial, int64_t chunks, double *sums) {
    double sum = 0;
    for (int64_t c = threadIdx.x; c < chunks; c += BLOCK)
        sum += partial[c];
    __syncthreads(); /* an earlier sum has been read */
    sums[threadIdx.x] = sum;
    for (unsigned half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return sums[0];
}

static __global__ void __launch_bounds__(BLOCK)
    trusted_rate(Update update, double decay, const double *weights, const double *others,
                 int64_t chunks, float *rate) {
    __shared__ double sums[BLOCK];
    double weight = sum_of(weights, chunks, sums), other = sum_of(others, chunks, sums);
    if (threadIdx.x == 0)
        *rate = (float)update_trusted_rate(&update, decay, weight, other);
}

static __device__ inline float gradient_at(const UpdateRange &range, double grad_scale, int64_t i) {
    return range.fixed ? update_gradient_fixed(range.fixed[i], grad_scale)
                       : update_gradient_real(((const float *)range.real)[i], grad_scale);
}

static __global__ void __launch_bounds__(BLOCK)
    lars(UpdateTerms terms, UpdateRange range, double grad_scale, const float *rate) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= range.count)
        return;
    float *momentum = (float *)range.slot[0];
    float m = momentum ? momentum[i] : 0;
    terms.lr = *rate;
    update_lars(&terms, gradient_at(range, grad_scale, i), &((float *)range.weight)[i], &m);
    if (momentum)
        momentum[i] = m;
}

static __global__ void __launch_bounds__(BLOCK)
    lamb_direction(UpdateTerms terms, UpdateRange range, double grad_scale, float *u) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < range.count)
        u[i] = update_lamb_direction(&terms, gradient_at(range, grad_scale, i),
                                     ((const float *)range.weight)[i], &((float *)range.slot[0])[i],
                                     &((float *)range.slot[1])[i]);
}

static __global__ void __launch_bounds__(BLOCK)
    lamb(UpdateTerms terms, float *weight, int64_t count, const float *u, const float *rate) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    terms.lr = *rate;
    if (i < count)
        update_lamb(&terms, u[i], &weight[i]);
}

cudaError_t gpu_trusted_rate(const Update *update, double decay, const double *weights,
                             const double *others, int64_t chunks, float *rate,
                             cudaStream_t stream) {
    if (chunks < 1)
        return cudaErrorInvalidValue;
    trusted_rate<<<1, BLOCK, 0, stream>>>(*update, decay, weights, others, chunks, rate);
    return cudaGetLastError();
}

cudaError_t gpu_lars(const Update *update, const UpdateRange *range, const float *rate,
                     cudaStream_t stream) {
    if (range->count < 1)
        return cudaErrorInvalidValue;
    lars<<<blocks_for(range->count), BLOCK, 0, stream>>>(update_terms(update, range->decay), *range,
                                                         update->grad_scale, rate);
    return cudaGetLastError();
}

cudaError_t gpu_lamb_direction(const Update *update, const UpdateRange *range, float *u,
                               cudaStream_t stream) {
    if (range->count < 1)
        return cudaErrorInvalidValue;
    lamb_direction<<<blocks_for(range->count), BLOCK, 0, stream>>>(
        update_terms(update, range->decay), *range, update->grad_scale, u);
    return cudaGetLastError();
}

cudaError_t gpu_lamb(const Update *update, const UpdateRange *range, const float *u,
                     const float *rate, cudaStream_t stream) {
    if (range->count < 1)
        return cudaErrorInvalidValue;
    lamb<<<blocks_for(range->count), BLOCK, 0, stream>>>(
        update_terms(update, range->decay), (float *)range->weight, range->count, u, rate);
    return cudaGetLastError();
}
