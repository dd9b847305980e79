/* seqpool: the tokens' mean by the softmax of their scores. A block has an image: its warps take
 * tokens in turn for what is summed over channels, its threads channels for what is summed over
 * tokens. Shares are double, for what is summed over all of an image's tokens cancels; there is one
 * a token. */
#include "rows.cuh"
#include "warp.cuh"

/* sum over channels of a x, by the lanes of a warp. */
template <typename A, typename T>
static __device__ inline float dot(const A *a, const T *x, uint32_t channels) {
    float sum = 0;
    for (uint32_t c = threadIdx.x % WARP; c < channels; c += WARP)
        sum += as_float(a[c]) * as_float(x[c]);
    return warp_sum(sum);
}

/* Of a block's image; scores in share[tokens] become shares. For the first warp. */
static __device__ inline void softmax(double *share, uint32_t tokens) {
    float top = (float)share[0];
    double sum = 0;
    for (uint32_t l = threadIdx.x; l < tokens; l += WARP)
        top = fmaxf(top, (float)share[l]);
    top = warp_max(top);
    for (uint32_t l = threadIdx.x; l < tokens; l += WARP) {
        share[l] = expf((float)share[l] - top);
        sum += share[l];
    }
    sum = warp_sum(sum);
    for (uint32_t l = threadIdx.x; l < tokens; l += WARP)
        share[l] /= sum;
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    seqpool(T *y, double *share, const T *x, const float *weight, const float *bias,
            uint32_t tokens, uint32_t channels) {
    x += blockIdx.x * tokens * channels;
    share += blockIdx.x * tokens;
    for (uint32_t l = threadIdx.x / WARP; l < tokens; l += WARPS) {
        float score = dot(weight, x + l * channels, channels) + bias[0];
        if (threadIdx.x % WARP == 0)
            share[l] = score;
    }
    __syncthreads();
    if (threadIdx.x < WARP)
        softmax(share, tokens);
    __syncthreads();
    for (uint32_t c = threadIdx.x; c < channels; c += BLOCK) {
        float sum = 0;
        for (uint32_t l = 0; l < tokens; l++)
            sum += (float)share[l] * as_float(x[l * channels + c]);
        y[blockIdx.x * channels + c] = from_float<T>(sum);
    }
}

cudaError_t gpu_seqpool(void *y, double *share, const void *x, const float *weight,
                        const float *bias, DType type, int64_t n, int64_t tokens, int64_t channels,
                        cudaStream_t stream) {
    if (!rows_fit(n * tokens, channels))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        seqpool<<<(unsigned)n, BLOCK, 0, stream>>>((T *)y, share, (const T *)x, weight, bias,
                                                   (uint32_t)tokens, (uint32_t)channels);
    });
}

/* grad_score = share (d - sum over tokens of share d), d = sum over channels of g x; grad_x = share
 * g + grad_score weight. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    seqpool_backward(T *grad_x, double *grad_score, const T *grad_y, const T *x,
                     const double *share, const float *weight, uint32_t tokens, uint32_t channels,
                     bool add) {
    __shared__ double mean;
    uint32_t image = tokens * channels;
    x += blockIdx.x * image;
    grad_y += blockIdx.x * channels;
    share += blockIdx.x * tokens;
    grad_score += blockIdx.x * tokens;
    for (uint32_t l = threadIdx.x / WARP; l < tokens; l += WARPS) {
        float d = dot(grad_y, x + l * channels, channels);
        if (threadIdx.x % WARP == 0)
            grad_score[l] = d;
    }
    __syncthreads();
    if (threadIdx.x < WARP) {
        double sum = 0;
        for (uint32_t l = threadIdx.x; l < tokens; l += WARP)
            sum += share[l] * grad_score[l];
        sum = warp_sum(sum);
        if (threadIdx.x == 0)
            mean = sum;
    }
    __syncthreads();
    for (uint32_t l = threadIdx.x; l < tokens; l += BLOCK)
        grad_score[l] = share[l] * (grad_score[l] - mean);
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < image && grad_x; i += BLOCK) {
        uint32_t l = i / channels, c = i % channels;
        T *to = grad_x + blockIdx.x * image + i;
        float value = (float)share[l] * as_float(grad_y[c]) + (float)grad_score[l] * weight[c];
        *to = from_float<T>(add ? as_float(*to) + value : value);
    }
}

/* Gradients of weight and bias: those of a linear layer, over all tokens. */
template <typename T> struct VisitToken {
    const double *grad_score;
    const T *x;
    uint32_t channels;
    __device__ void operator()(uint32_t at, uint32_t, float *sum) const {
        sum[0] += (float)grad_score[at / channels] * as_float(x[at]);
    }
};

struct FinishToken {
    float *sum;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        sum[channel] = (float)sums.first;
    }
};

cudaError_t gpu_seqpool_backward(void *grad_x, float *grad_weight, float *grad_bias,
                                 double *grad_score, const void *grad_y, const void *x,
                                 const double *share, const float *weight, DType type, int64_t n,
                                 int64_t tokens, int64_t channels, bool add, void *scratch,
                                 cudaStream_t stream) {
    if (!rows_fit(n * tokens, channels))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        seqpool_backward<<<(unsigned)n, BLOCK, 0, stream>>>(
            (T *)grad_x, grad_score, (const T *)grad_y, (const T *)x, share, weight,
            (uint32_t)tokens, (uint32_t)channels, add);
        reduce_rows(n * tokens, channels, scratch,
                    VisitToken<T>{grad_score, (const T *)x, (uint32_t)channels},
                    FinishToken{grad_weight}, stream);
        sum_all<<<1, WARP, 0, stream>>>(grad_bias, grad_score, (uint32_t)(n * tokens));
    });
}
