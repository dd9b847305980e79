/* layernorm: rows of channels, each normalised by itself. A warp has a row, whose packs its lanes
 * take in turn; they read it again, from a cache, where they need it twice. Gradients of the
 * parameters are sums over rows (rows.cuh). */
#include "rows.cuh"
#include "warp.cuh"

/* The row of this warp, and the lane in it. */
struct Place {
    uint32_t row, lane;
};

static __device__ inline Place this_place() {
    return {blockIdx.x * WARPS + threadIdx.x / WARP, threadIdx.x % WARP};
}

static unsigned blocks_of_rows(int64_t rows) {
    return (unsigned)((rows + WARPS - 1) / WARPS);
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    layernorm(T *y, float *mean, float *rstd, const T *x, const float *weight, const float *bias,
              uint32_t rows, uint32_t packs, float eps) {
    Place at = this_place();
    if (at.row >= rows)
        return;
    float sum = 0, squares = 0, count = (float)(packs * V);
    for (uint32_t i = at.lane; i < packs; i += WARP) {
        Pack<T, V> px = load<V>(x, at.row * packs + i);
#pragma unroll
        for (int k = 0; k < V; k++)
            sum += as_float(px.at[k]);
    }
    float middle = warp_sum(sum) / count;
    for (uint32_t i = at.lane; i < packs; i += WARP) {
        Pack<T, V> px = load<V>(x, at.row * packs + i);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float difference = as_float(px.at[k]) - middle;
            squares += difference * difference;
        }
    }
    float r = 1 / sqrtf(warp_sum(squares) / count + eps);
    for (uint32_t i = at.lane; i < packs; i += WARP) {
        Pack<T, V> px = load<V>(x, at.row * packs + i);
#pragma unroll
        for (int k = 0; k < V; k++)
            px.at[k] = from_float<T>(weight[i * V + k] * ((as_float(px.at[k]) - middle) * r) +
                                     bias[i * V + k]);
        store<V>(y, at.row * packs + i, px);
    }
    if (at.lane == 0 && mean) {
        mean[at.row] = middle;
        rstd[at.row] = r;
    }
}

cudaError_t gpu_layernorm(void *y, float *mean, float *rstd, const void *x, const float *weight,
                          const float *bias, DType type, int64_t rows, int64_t channels, double eps,
                          cudaStream_t stream) {
    return by_pack(type, channels, rows * channels, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        layernorm<V><<<blocks_of_rows(rows), BLOCK, 0, stream>>>(
            (T *)y, mean, rstd, (const T *)x, weight, bias, (uint32_t)rows,
            (uint32_t)(channels / V), (float)eps);
    });
}

/* With d = weight g: grad_x = rstd (d - mean(d) - normal mean(d normal)), means over the row: its
 * mean and variance move with x too. */
template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    layernorm_backward(T *grad_x, const T *grad_y, const T *x, const float *weight,
                       const float *mean, const float *rstd, uint32_t rows, uint32_t packs,
                       bool add) {
    Place at = this_place();
    if (at.row >= rows)
        return;
    float sum = 0, sum_normal = 0, share = 1 / (float)(packs * V);
    float middle = mean[at.row], r = rstd[at.row];
    for (uint32_t i = at.lane; i < packs; i += WARP) {
        Pack<T, V> px = load<V>(x, at.row * packs + i), pg = load<V>(grad_y, at.row * packs + i);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float d = weight[i * V + k] * as_float(pg.at[k]);
            sum += d;
            sum_normal += d * ((as_float(px.at[k]) - middle) * r);
        }
    }
    sum = warp_sum(sum) * share;
    sum_normal = warp_sum(sum_normal) * share;
    for (uint32_t i = at.lane; i < packs; i += WARP) {
        uint32_t place = at.row * packs + i;
        Pack<T, V> px = load<V>(x, place), pg = load<V>(grad_y, place), to = px;
        if (add)
            to = load<V>((const T *)grad_x, place);
#pragma unroll
        for (int k = 0; k < V; k++) {
            float d = weight[i * V + k] * as_float(pg.at[k]);
            float normal = (as_float(px.at[k]) - middle) * r;
            float value = r * (d - sum - normal * sum_normal);
            to.at[k] = from_float<T>(add ? as_float(to.at[k]) + value : value);
        }
        store<V>(grad_x, place, to);
    }
}

template <typename T> struct VisitRow {
    const T *grad, *x;
    const float *mean, *rstd;
    uint32_t channels;
    __device__ void operator()(uint32_t at, uint32_t, float *sum) const {
        uint32_t row = at / channels;
        float g = as_float(grad[at]);
        sum[0] += g;
        sum[1] += g * ((as_float(x[at]) - mean[row]) * rstd[row]);
    }
};

struct FinishRow {
    float *grad_weight, *grad_bias;
    __device__ void operator()(uint32_t channel, Sums sums) const {
        grad_bias[channel] = (float)sums.first;
        grad_weight[channel] = (float)sums.second;
    }
};

cudaError_t gpu_layernorm_backward(void *grad_x, float *grad_weight, float *grad_bias,
                                   const void *grad_y, const void *x, const float *weight,
                                   const float *mean, const float *rstd, DType type, int64_t rows,
                                   int64_t channels, bool add, void *scratch, cudaStream_t stream) {
    if (!rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    cudaError_t error = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(rows, channels, scratch,
                    VisitRow<T>{(const T *)grad_y, (const T *)x, mean, rstd, (uint32_t)channels},
                    FinishRow{grad_weight, grad_bias}, stream);
    });
    if (error != cudaSuccess || !grad_x)
        return error;
    return by_pack(type, channels, rows * channels, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        layernorm_backward<V><<<blocks_of_rows(rows), BLOCK, 0, stream>>>(
            (T *)grad_x, (const T *)grad_y, (const T *)x, weight, mean, rstd, (uint32_t)rows,
            (uint32_t)(channels / V), add);
    });
}
