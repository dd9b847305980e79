/* groupnorm: each image normalised over the map and the channels of one group.
 *
 * A block adds up one group of one image: its threads walk the elements in turn, pixel by pixel,
 * and are added in a tree of fixed shape. Sums that belong to a channel of an image (backward's)
 * are a block's of 32 channels, whose lines walk the pixels in turn. So the bits follow from the
 * shape. */
#include "common.cuh"

enum { ACROSS = 32, LINES = BLOCK / ACROSS };

/* The sum over the block of `mine`, in every thread. */
static __device__ inline float add_block(float mine) {
    __shared__ float held[BLOCK];
    __syncthreads();
    held[threadIdx.x] = mine;
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half)
            held[threadIdx.x] += held[threadIdx.x + half];
    }
    __syncthreads();
    return held[0];
}

/* mean and rstd [n][groups] of x. The variance is that of the differences to the mean. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    group_moments(float *mean, float *rstd, const T *x, uint32_t hw, uint32_t channels,
                  uint32_t groups, double eps) {
    uint32_t group = blockIdx.x, n = blockIdx.y, width = channels / groups;
    uint32_t first = n * hw * channels + group * width, count = hw * width;
    float sum = 0, squares = 0;
    for (uint32_t i = threadIdx.x; i < count; i += BLOCK)
        sum += as_float(x[first + i / width * channels + i % width]);
    float middle = (float)((double)add_block(sum) / count);
    for (uint32_t i = threadIdx.x; i < count; i += BLOCK) {
        float off = as_float(x[first + i / width * channels + i % width]) - middle;
        squares += off * off;
    }
    float total = add_block(squares);
    if (threadIdx.x == 0) {
        mean[n * groups + group] = middle;
        rstd[n * groups + group] = (float)(1 / sqrt((double)total / count + eps));
    }
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    normalise(T *y, const T *x, const float *weight, const float *bias, const float *mean,
              const float *rstd, uint32_t packs, uint32_t hw, uint32_t channels, uint32_t groups) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t channel = i * V % channels, n = i * V / channels / hw, width = channels / groups;
    Pack<T, V> px = load<V>(x, i), py;
#pragma unroll
    for (int k = 0; k < V; k++) {
        uint32_t c = channel + k, g = n * groups + c / width;
        float normal = (as_float(px.at[k]) - mean[g]) * rstd[g];
        py.at[k] = from_float<T>(weight[c] * normal + bias[c]);
    }
    store<V>(y, i, py);
}

/* Of each channel of each image, sums over the map: sum[n][c] of grad, slope[n][c] of grad times
 * the normal value. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    channel_sums(float *sum, float *slope, const T *grad_y, const T *x, const float *mean,
                 const float *rstd, uint32_t hw, uint32_t channels, uint32_t groups) {
    __shared__ float lines[2][LINES][ACROSS];
    uint32_t channel = blockIdx.x * ACROSS + threadIdx.x, n = blockIdx.y;
    float first = 0, second = 0;
    if (channel < channels) {
        uint32_t g = n * groups + channel / (channels / groups);
        for (uint32_t pixel = threadIdx.y; pixel < hw; pixel += LINES) {
            uint32_t at = (n * hw + pixel) * channels + channel;
            float grad = as_float(grad_y[at]);
            first += grad;
            second += grad * ((as_float(x[at]) - mean[g]) * rstd[g]);
        }
    }
    lines[0][threadIdx.y][threadIdx.x] = first;
    lines[1][threadIdx.y][threadIdx.x] = second;
    __syncthreads();
    if (threadIdx.y > 0 || channel >= channels)
        return;
    float totals[2] = {0, 0};
    for (int line = 0; line < LINES; line++) {
        totals[0] += lines[0][line][threadIdx.x];
        totals[1] += lines[1][line][threadIdx.x];
    }
    sum[n * channels + channel] = totals[0];
    slope[n * channels + channel] = totals[1];
}

/* The parameters' gradients: over the images in order. */
static __global__ void __launch_bounds__(BLOCK)
    image_sums(float *grad_weight, float *grad_bias, const float *sum, const float *slope,
               uint32_t images, uint32_t channels) {
    uint32_t channel = thread_index();
    if (channel >= channels)
        return;
    double first = 0, second = 0;
    for (uint32_t n = 0; n < images; n++) {
        first += (double)sum[n * channels + channel];
        second += (double)slope[n * channels + channel];
    }
    grad_bias[channel] = (float)first;
    grad_weight[channel] = (float)second;
}

/* The two means of each group of each image: [n][groups] of weight sum, and of weight slope. */
static __global__ void __launch_bounds__(BLOCK)
    group_means(float *mean_sum, float *mean_slope, const float *sum, const float *slope,
                const float *weight, uint32_t places, uint32_t channels, uint32_t groups,
                double share) {
    uint32_t place = thread_index(), width = channels / groups;
    if (place >= places)
        return;
    uint32_t from = place / groups * channels + place % groups * width;
    double first = 0, second = 0;
    for (uint32_t c = 0; c < width; c++) {
        double w = (double)weight[place % groups * width + c];
        first += w * (double)sum[from + c];
        second += w * (double)slope[from + c];
    }
    mean_sum[place] = (float)(first * share);
    mean_slope[place] = (float)(second * share);
}

/* grad_x = rstd (w g - mean(w g) - normal mean(w g normal)), means over the group. */
template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    give(T *grad_x, const T *grad_y, const T *x, const float *weight, const float *mean,
         const float *rstd, const float *mean_sum, const float *mean_slope, uint32_t packs,
         uint32_t hw, uint32_t channels, uint32_t groups, bool add) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t channel = i * V % channels, n = i * V / channels / hw, width = channels / groups;
    Pack<T, V> pg = load<V>(grad_y, i), px = load<V>(x, i), to = pg;
    if (add)
        to = load<V>((const T *)grad_x, i);
#pragma unroll
    for (int k = 0; k < V; k++) {
        uint32_t c = channel + k, g = n * groups + c / width;
        float normal = (as_float(px.at[k]) - mean[g]) * rstd[g];
        float rest = weight[c] * as_float(pg.at[k]) - mean_sum[g] - normal * mean_slope[g];
        float value = rstd[g] * rest;
        to.at[k] = from_float<T>(add ? as_float(to.at[k]) + value : value);
    }
    store<V>(grad_x, i, to);
}

static bool fits(int64_t n, int64_t hw, int64_t channels, int64_t groups) {
    return n > 0 && n <= 65535 && hw > 0 && channels > 0 && groups > 0 && channels % groups == 0 &&
           n * hw * channels <= INT32_MAX;
}

cudaError_t gpu_groupnorm(void *y, float *mean, float *rstd, const void *x, const float *weight,
                          const float *bias, DType type, int64_t n, int64_t hw, int64_t channels,
                          int64_t groups, double eps, cudaStream_t stream) {
    if (!fits(n, hw, channels, groups))
        return cudaErrorInvalidValue;
    cudaError_t error = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        group_moments<<<dim3((unsigned)groups, (unsigned)n), BLOCK, 0, stream>>>(
            mean, rstd, (const T *)x, (uint32_t)hw, (uint32_t)channels, (uint32_t)groups, eps);
    });
    if (error != cudaSuccess)
        return error;
    int64_t count = n * hw * channels;
    return by_pack(type, channels, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        normalise<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, weight, bias, mean, rstd, (uint32_t)(count / V), (uint32_t)hw,
            (uint32_t)channels, (uint32_t)groups);
    });
}

size_t gpu_groupnorm_scratch(int64_t n, int64_t channels, int64_t groups) {
    return (size_t)(2 * n * (channels + groups)) * sizeof(float);
}

cudaError_t gpu_groupnorm_backward(void *grad_x, float *grad_weight, float *grad_bias,
                                   const void *grad_y, const void *x, const float *weight,
                                   const float *mean, const float *rstd, DType type, int64_t n,
                                   int64_t hw, int64_t channels, int64_t groups, bool add,
                                   void *scratch, cudaStream_t stream) {
    if (!fits(n, hw, channels, groups))
        return cudaErrorInvalidValue;
    float *sum = (float *)scratch, *slope = sum + n * channels;
    float *mean_sum = slope + n * channels, *mean_slope = mean_sum + n * groups;
    dim3 grid((unsigned)((channels + ACROSS - 1) / ACROSS), (unsigned)n);
    cudaError_t error = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        channel_sums<<<grid, dim3(ACROSS, LINES), 0, stream>>>(
            sum, slope, (const T *)grad_y, (const T *)x, mean, rstd, (uint32_t)hw,
            (uint32_t)channels, (uint32_t)groups);
        image_sums<<<blocks_for(channels), BLOCK, 0, stream>>>(grad_weight, grad_bias, sum, slope,
                                                               (uint32_t)n, (uint32_t)channels);
    });
    if (error != cudaSuccess || !grad_x)
        return error;
    group_means<<<blocks_for(n * groups), BLOCK, 0, stream>>>(
        mean_sum, mean_slope, sum, slope, weight, (uint32_t)(n * groups), (uint32_t)channels,
        (uint32_t)groups, 1 / (double)(hw * (channels / groups)));
    int64_t count = n * hw * channels;
    return by_pack(type, channels, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        give<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)grad_x, (const T *)grad_y, (const T *)x, weight, mean, rstd, mean_sum, mean_slope,
            (uint32_t)(count / V), (uint32_t)hw, (uint32_t)channels, (uint32_t)groups, add);
    });
}
