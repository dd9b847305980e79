/* norm: batch norm, and the sum over the rows of a [rows][channels] array. Reductions are those of
 * rows.cuh.
 *
 * The variance is that of the differences to the channel's first value, which lies among the
 * others: sums of squares then lose nothing to a large mean. */
#include "rows.cuh"

size_t gpu_rows_scratch(int64_t rows, int64_t channels) {
    return (size_t)(parts_of(rows) * channels) * sizeof(Sums);
}

/* ---- what is visited and finished ---- */

/* The gradient behind a fused ReLU; `y` NULL: there is none. */
template <typename T>
static __device__ inline float masked(const T *grad, const T *y, uint32_t at) {
    return y && as_float(y[at]) <= 0 ? 0 : as_float(grad[at]);
}

template <typename T> struct VisitGradient {
    const T *grad, *y;
    __device__ void operator()(uint32_t at, uint32_t, float *sum) const {
        sum[0] += masked(grad, y, at);
    }
};

struct FinishSum {
    float *sum;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        sum[channel] = (float)sums.first;
    }
};

template <typename T> struct VisitMoments {
    const T *x;
    __device__ void operator()(uint32_t at, uint32_t channel, float *sum) const {
        float difference = as_float(x[at]) - as_float(x[channel]);
        sum[0] += difference;
        sum[1] += difference * difference;
    }
};

template <typename T> struct FinishMoments {
    const T *x;
    float *mean, *rstd, *stats_mean, *stats_var;
    double rows, eps;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        double shift = sums.first / rows;
        double squares = fmax(sums.second - sums.first * shift, 0.0);
        float whole = (float)((double)as_float(x[channel]) + shift);
        mean[channel] = whole;
        rstd[channel] = (float)(1 / sqrt(squares / rows + eps));
        stats_mean[channel] = whole;
        stats_var[channel] = (float)(rows > 1 ? squares / (rows - 1) : 0);
    }
};

template <typename T> struct VisitBackward {
    const T *grad, *x, *y;
    const float *mean, *rstd;
    __device__ void operator()(uint32_t at, uint32_t channel, float *sum) const {
        float g = masked(grad, y, at);
        sum[0] += g;
        sum[1] += g * ((as_float(x[at]) - mean[channel]) * rstd[channel]);
    }
};

struct FinishBackward {
    float *grad_weight, *grad_bias;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        grad_bias[channel] = (float)sums.first;
        grad_weight[channel] = (float)sums.second;
    }
};

/* ---- passes over the elements ---- */

/* y = weight (x - mean) rstd + bias + z; rstd from `var` where that is given. */
struct Normal {
    const float *weight, *bias, *mean, *rstd, *var;
    float eps;
    bool relu;
    __device__ float operator()(float x, float z, uint32_t channel) const {
        float r = var ? 1 / sqrtf(var[channel] + eps) : rstd[channel];
        float value = weight[channel] * ((x - mean[channel]) * r) + bias[channel] + z;
        return relu ? relu_of(value) : value;
    }
};

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    normalise(T *y, const T *x, const T *z, uint32_t packs, uint32_t channels, Normal normal) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t channel = i * V % channels;
    Pack<T, V> px = load<V>(x, i), pz = {}, py;
    if (z)
        pz = load<V>(z, i);
#pragma unroll
    for (int k = 0; k < V; k++)
        py.at[k] = from_float<T>(normal(as_float(px.at[k]), as_float(pz.at[k]), channel + k));
    store<V>(y, i, py);
}

/* grad_x = weight rstd (g - mean(g) - normal mean(g normal)): the batch's mean and variance move
 * with x too. The sums are the gradients of bias and weight. */
struct Slope {
    const float *weight, *mean, *rstd, *sum, *sum_normal;
    float share; /* 1 / rows */
    __device__ float operator()(float g, float x, uint32_t channel) const {
        float normal = (x - mean[channel]) * rstd[channel];
        float rest = g - sum[channel] * share - normal * (sum_normal[channel] * share);
        return weight[channel] * rstd[channel] * rest;
    }
};

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    slope(T *grad_x, const T *grad_y, const T *x, const T *y, uint32_t packs, uint32_t channels,
          bool add, Slope slope_at) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t channel = i * V % channels;
    Pack<T, V> pg = load<V>(grad_y, i), px = load<V>(x, i), py = pg, to = pg;
    if (y)
        py = load<V>(y, i);
    if (add)
        to = load<V>((const T *)grad_x, i);
#pragma unroll
    for (int k = 0; k < V; k++) {
        float g = y && as_float(py.at[k]) <= 0 ? 0 : as_float(pg.at[k]);
        float value = slope_at(g, as_float(px.at[k]), channel + k);
        to.at[k] = from_float<T>(add ? as_float(to.at[k]) + value : value);
    }
    store<V>(grad_x, i, to);
}

static cudaError_t apply_normal(void *y, const void *x, const void *z, DType type, int64_t rows,
                                int64_t channels, Normal normal, cudaStream_t stream) {
    int64_t count = rows * channels;
    return by_pack(type, channels, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        normalise<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, (const T *)z, (uint32_t)(count / V), (uint32_t)channels, normal);
    });
}

cudaError_t gpu_sum_rows(float *sum, const void *x, const void *y, DType type, int64_t rows,
                         int64_t channels, void *scratch, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(rows, channels, scratch, VisitGradient<T>{(const T *)x, (const T *)y},
                    FinishSum{sum}, stream);
    });
}

cudaError_t gpu_bn_train(void *y, float *mean, float *rstd, float *stats_mean, float *stats_var,
                         const void *x, const void *z, const float *weight, const float *bias,
                         DType type, int64_t rows, int64_t channels, double eps, bool relu,
                         void *scratch, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    cudaError_t error = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(
            rows, channels, scratch, VisitMoments<T>{(const T *)x},
            FinishMoments<T>{(const T *)x, mean, rstd, stats_mean, stats_var, (double)rows, eps},
            stream);
    });
    if (error != cudaSuccess)
        return error;
    return apply_normal(y, x, z, type, rows, channels,
                        Normal{weight, bias, mean, rstd, NULL, (float)eps, relu}, stream);
}

cudaError_t gpu_bn_infer(void *y, const void *x, const void *z, const float *weight,
                         const float *bias, const float *mean, const float *var, DType type,
                         int64_t rows, int64_t channels, double eps, bool relu,
                         cudaStream_t stream) {
    return apply_normal(y, x, z, type, rows, channels,
                        Normal{weight, bias, mean, NULL, var, (float)eps, relu}, stream);
}

static cudaError_t apply_slope(void *grad_x, const void *grad_y, const void *x, const void *y,
                               DType type, int64_t rows, int64_t channels, bool add, Slope at,
                               cudaStream_t stream) {
    int64_t count = rows * channels;
    return by_pack(type, channels, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        slope<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)grad_x, (const T *)grad_y, (const T *)x, (const T *)y, (uint32_t)(count / V),
            (uint32_t)channels, add, at);
    });
}

cudaError_t gpu_bn_backward(void *grad_x, float *grad_weight, float *grad_bias, const void *grad_y,
                            const void *x, const void *y, const float *weight, const float *mean,
                            const float *rstd, DType type, int64_t rows, int64_t channels, bool add,
                            void *scratch, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    cudaError_t error = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(rows, channels, scratch,
                    VisitBackward<T>{(const T *)grad_y, (const T *)x, (const T *)y, mean, rstd},
                    FinishBackward{grad_weight, grad_bias}, stream);
    });
    if (error != cudaSuccess || !grad_x)
        return error;
    return apply_slope(grad_x, grad_y, x, y, type, rows, channels, add,
                       Slope{weight, mean, rstd, grad_bias, grad_weight, 1 / (float)rows}, stream);
}

/* ---- over the whole step ---- */

/* Places in `shared`, as in lockstep/bn_sums.h. */
struct Shared {
    double *at;
    uint32_t channels;
    __host__ __device__ double &count() const { return at[0]; }
    __device__ double &first(uint32_t channel) const { return at[1 + channel]; }
    __device__ double &second(uint32_t channel) const { return at[1 + channels + channel]; }
};

/* From powers of differences to the channel's first value to those of x. */
template <typename T> struct ShareMoments {
    const T *x;
    double rows;
    Shared shared;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        double shift = (double)as_float(x[channel]);
        if (channel == 0)
            shared.count() = rows;
        shared.first(channel) = sums.first + rows * shift;
        shared.second(channel) = sums.second + 2 * shift * sums.first + rows * shift * shift;
    }
};

struct ShareSlopes {
    float *grad_weight, *grad_bias;
    Shared shared;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        grad_bias[channel] = (float)sums.first;
        grad_weight[channel] = (float)sums.second;
        if (channel == 0)
            shared.count() = 0;
        shared.first(channel) = sums.first;
        shared.second(channel) = sums.second;
    }
};

static __global__ void __launch_bounds__(BLOCK)
    take_moments(float *mean, float *rstd, double *count, float *stats_mean, float *stats_var,
                 Shared shared, double eps) {
    uint32_t channel = thread_index();
    if (channel >= shared.channels)
        return;
    double values = shared.count(), whole = shared.first(channel) / values;
    double var = shared.second(channel) / values - whole * whole;
    var = var < 0 ? 0 : var; /* NaN stays NaN */
    if (channel == 0)
        *count = values;
    mean[channel] = stats_mean[channel] = (float)whole;
    rstd[channel] = (float)(1 / sqrt(var + eps));
    stats_var[channel] = (float)(values > 1 ? var * values / (values - 1) : 0);
}

static __global__ void __launch_bounds__(BLOCK)
    take_means(float *means, Shared shared, const double *count) {
    uint32_t channel = thread_index();
    if (channel >= shared.channels)
        return;
    means[channel] = (float)(shared.first(channel) / *count);
    means[shared.channels + channel] = (float)(shared.second(channel) / *count);
}

cudaError_t gpu_bn_share_moments(double *shared, const void *x, DType type, int64_t rows,
                                 int64_t channels, void *scratch, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(rows, channels, scratch, VisitMoments<T>{(const T *)x},
                    ShareMoments<T>{(const T *)x, (double)rows, {shared, (uint32_t)channels}},
                    stream);
    });
}

cudaError_t gpu_bn_take_moments(void *y, float *mean, float *rstd, double *count, float *stats_mean,
                                float *stats_var, const double *shared, const void *x,
                                const float *weight, const float *bias, DType type, int64_t rows,
                                int64_t channels, double eps, cudaStream_t stream) {
    take_moments<<<blocks_for(channels), BLOCK, 0, stream>>>(
        mean, rstd, count, stats_mean, stats_var, Shared{(double *)shared, (uint32_t)channels},
        eps);
    return apply_normal(y, x, NULL, type, rows, channels,
                        Normal{weight, bias, mean, rstd, NULL, (float)eps, false}, stream);
}

cudaError_t gpu_bn_share_slopes(double *shared, float *grad_weight, float *grad_bias,
                                const void *grad_y, const void *x, const float *mean,
                                const float *rstd, DType type, int64_t rows, int64_t channels,
                                void *scratch, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(rows, channels, scratch,
                    VisitBackward<T>{(const T *)grad_y, (const T *)x, NULL, mean, rstd},
                    ShareSlopes{grad_weight, grad_bias, {shared, (uint32_t)channels}}, stream);
    });
}

cudaError_t gpu_bn_take_slopes(void *grad_x, const double *shared, const double *count,
                               const void *grad_y, const void *x, const float *weight,
                               const float *mean, const float *rstd, float *means, DType type,
                               int64_t rows, int64_t channels, bool add, cudaStream_t stream) {
    take_means<<<blocks_for(channels), BLOCK, 0, stream>>>(
        means, Shared{(double *)shared, (uint32_t)channels}, count);
    return apply_slope(grad_x, grad_y, x, NULL, type, rows, channels, add,
                       Slope{weight, mean, rstd, means, means + channels, 1}, stream);
}

/* What cuDNN saves is rounded to float: the variance of a channel far below eps is lost, and
 * without consequence. */
static __global__ void __launch_bounds__(BLOCK)
    bn_stats(float *stats_mean, float *stats_var, const float *mean, const float *rstd, double rows,
             uint32_t channels, double eps) {
    uint32_t channel = thread_index();
    if (channel >= channels)
        return;
    double r = (double)rstd[channel], var = fmax(1 / (r * r) - eps, 0.0);
    stats_mean[channel] = mean[channel];
    stats_var[channel] = (float)(rows > 1 ? var * rows / (rows - 1) : 0);
}

cudaError_t gpu_bn_stats(float *stats_mean, float *stats_var, const float *mean, const float *rstd,
                         int64_t rows, int64_t channels, double eps, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    bn_stats<<<blocks_for(channels), BLOCK, 0, stream>>>(stats_mean, stats_var, mean, rstd,
                                                         (double)rows, (uint32_t)channels, eps);
    return cudaGetLastError();
}
