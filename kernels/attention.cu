/* attention: products of all images' and heads' matrices, softmax along rows, and the temperature's
 * gradient.
 *
 * A product's block has one tile of 32 x 32 results of one head. Its factors pass through shared
 * memory in strips of 16 columns and rows; a thread adds up 2 x 2 results in float, in the order of
 * the strips. A softmax's warp has a row. */
#include "rows.cuh"
#include "warp.cuh"

enum { TILE = 32, STRIP = 16, SIDE = 16 };

/* What a block multiplies: element (i, k) or (k, j) of its head, a zero outside. */
template <typename T> struct Matrix {
    const T *data;
    int64_t row, column;
    int rows, columns;
    __device__ float at(int i, int j) const {
        return i < rows && j < columns ? as_float(data[i * row + j * column]) : 0;
    }
};

template <typename T>
static __device__ inline Matrix<T> matrix_of(const void *data, GpuMatrix view, int heads) {
    int64_t head = (int64_t)blockIdx.x / heads * view.image + blockIdx.x % heads * view.head;
    return {(const T *)data + head, view.row, view.column, (int)view.rows, (int)view.columns};
}

template <typename T, typename To>
static __global__ void __launch_bounds__(BLOCK)
    multiply(To *to, const T *left, const T *right, GpuMatrix to_view, GpuMatrix left_view,
             GpuMatrix right_view, int heads, bool add) {
    __shared__ float a[STRIP][TILE + 1], b[STRIP][TILE + 1];
    Matrix<T> x = matrix_of<T>(left, left_view, heads), y = matrix_of<T>(right, right_view, heads);
    Matrix<To> z = matrix_of<To>(to, to_view, heads);
    int across = (z.columns + TILE - 1) / TILE;
    int top = (int)blockIdx.y / across * TILE, begin = (int)blockIdx.y % across * TILE;
    int line = (int)threadIdx.x / SIDE, place = (int)threadIdx.x % SIDE;
    float sum[2][2] = {};
    for (int k = 0; k < x.columns; k += STRIP) {
        for (int i = (int)threadIdx.x; i < TILE * STRIP; i += BLOCK) {
            a[i % STRIP][i / STRIP] = x.at(top + i / STRIP, k + i % STRIP);
            b[i / TILE][i % TILE] = y.at(k + i / TILE, begin + i % TILE);
        }
        __syncthreads();
#pragma unroll
        for (int s = 0; s < STRIP; s++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                sum[i / 2][i % 2] += a[s][line + i / 2 * SIDE] * b[s][place + i % 2 * SIDE];
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = top + line + i / 2 * SIDE, column = begin + place + i % 2 * SIDE;
        if (row >= z.rows || column >= z.columns)
            continue;
        To *result = (To *)z.data + row * z.row + column * z.column;
        float value = sum[i / 2][i % 2];
        *result = from_float<To>(add ? as_float(*result) + value : value);
    }
}

cudaError_t gpu_multiply_heads(void *to, DType to_type, GpuMatrix to_view, const void *left,
                               GpuMatrix left_view, const void *right, GpuMatrix right_view,
                               DType type, int64_t images, int64_t heads, bool add,
                               cudaStream_t stream) {
    int64_t tiles = (to_view.rows + TILE - 1) / TILE * ((to_view.columns + TILE - 1) / TILE),
            most = 65535;
    if (images < 1 || heads < 1 || images * heads > INT32_MAX || tiles < 1 || tiles > most)
        return cudaErrorInvalidValue;
    dim3 grid((unsigned)(images * heads), (unsigned)tiles);
    cudaError_t inner = cudaSuccess;
    cudaError_t outer = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        inner = by_type(to_type, [&](auto to_zero) {
            using To = decltype(to_zero);
            multiply<T, To><<<grid, BLOCK, 0, stream>>>((To *)to, (const T *)left, (const T *)right,
                                                        to_view, left_view, right_view, (int)heads,
                                                        add);
        });
    });
    return inner != cudaSuccess ? inner : outer;
}

/* ---- softmax along rows ---- */

/* Minus infinity. */
static __device__ inline float nothing() {
    return __int_as_float((int)0xff800000u);
}

/* By which scores are multiplied. */
static __device__ inline float scale_of(const float *temperature, float scale) {
    return temperature ? expf(temperature[0]) : scale;
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    softmax(T *share, const float *score, uint32_t rows, uint32_t tokens, const float *temperature,
            float fixed, bool masks) {
    uint32_t row = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows)
        return;
    float scale = scale_of(temperature, fixed), top = nothing(), sum = 0;
    uint32_t hidden = masks ? row % tokens : tokens;
    for (uint32_t m = lane; m < tokens; m += WARP)
        top = m == hidden ? top : fmaxf(top, score[(size_t)row * tokens + m]);
    top = warp_max(top);
    for (uint32_t m = lane; m < tokens; m += WARP)
        sum += m == hidden ? 0 : expf((score[(size_t)row * tokens + m] - top) * scale);
    sum = warp_sum(sum);
    for (uint32_t m = lane; m < tokens; m += WARP) {
        size_t at = (size_t)row * tokens + m;
        share[at] = from_float<T>(m == hidden ? 0 : expf((score[at] - top) * scale) / sum);
    }
}

cudaError_t gpu_softmax_rows(void *share, const float *score, DType type, int64_t rows,
                             int64_t tokens, const float *temperature, double scale,
                             bool mask_diagonal, cudaStream_t stream) {
    if (!rows_fit(rows, tokens))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        softmax<<<(unsigned)((rows + WARPS - 1) / WARPS), BLOCK, 0, stream>>>(
            (T *)share, score, (uint32_t)rows, (uint32_t)tokens, temperature, (float)scale,
            mask_diagonal);
    });
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    softmax_backward(T *grad_score, const float *grad_share, const T *share, uint32_t rows,
                     uint32_t tokens, const float *temperature, float fixed) {
    uint32_t row = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows)
        return;
    float scale = scale_of(temperature, fixed), mean = 0;
    for (uint32_t m = lane; m < tokens; m += WARP) {
        size_t at = (size_t)row * tokens + m;
        mean += as_float(share[at]) * grad_share[at];
    }
    mean = warp_sum(mean);
    for (uint32_t m = lane; m < tokens; m += WARP) {
        size_t at = (size_t)row * tokens + m;
        grad_score[at] = from_float<T>(as_float(share[at]) * (grad_share[at] - mean) * scale);
    }
}

cudaError_t gpu_softmax_rows_backward(void *grad_score, const float *grad_share, const void *share,
                                      DType type, int64_t rows, int64_t tokens,
                                      const float *temperature, double scale, cudaStream_t stream) {
    if (!rows_fit(rows, tokens))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        softmax_backward<<<(unsigned)((rows + WARPS - 1) / WARPS), BLOCK, 0, stream>>>(
            (T *)grad_score, grad_share, (const T *)share, (uint32_t)rows, (uint32_t)tokens,
            temperature, (float)scale);
    });
}

/* ---- the temperature's gradient ---- */

/* Rows of x and y lie x_row and y_row elements apart. */
template <typename T> struct VisitProduct {
    const T *x, *y;
    uint32_t channels, x_row, y_row;
    __device__ void operator()(uint32_t at, uint32_t channel, float *sum) const {
        uint32_t row = at / channels;
        sum[0] += as_float(x[row * x_row + channel]) * as_float(y[row * y_row + channel]);
    }
};

struct FinishProduct {
    double *sum;
    __device__ void operator()(uint32_t channel, Sums sums) const { sum[channel] = sums.first; }
};

size_t gpu_dot_rows_scratch(int64_t rows, int64_t channels) {
    return gpu_rows_scratch(rows, channels) + (size_t)channels * sizeof(double);
}

cudaError_t gpu_dot_rows(float *sum, const void *x, int64_t x_row, const void *y, int64_t y_row,
                         DType type, int64_t rows, int64_t channels, void *scratch,
                         cudaStream_t stream) {
    if (!rows_fit(rows, x_row) || !rows_fit(rows, y_row) || !rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    double *sums = (double *)((char *)scratch + gpu_rows_scratch(rows, channels));
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        reduce_rows(rows, channels, scratch,
                    VisitProduct<T>{(const T *)x, (const T *)y, (uint32_t)channels, (uint32_t)x_row,
                                    (uint32_t)y_row},
                    FinishProduct{sums}, stream);
        sum_all<<<1, WARP, 0, stream>>>(sum, sums, (uint32_t)channels);
    });
}

/* ---- the queries' gradient, where it was computed apart ---- */

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    add_rows(T *to, uint32_t to_row, const T *from, uint32_t count, uint32_t channels) {
    uint32_t i = thread_index();
    if (i >= count)
        return;
    T *sum = to + i / channels * to_row + i % channels;
    *sum = from_float<T>(as_float(*sum) + as_float(from[i]));
}

cudaError_t gpu_add_rows(void *to, int64_t to_row, const void *from, DType type, int64_t rows,
                         int64_t channels, cudaStream_t stream) {
    if (!rows_fit(rows, to_row) || !rows_fit(rows, channels))
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        add_rows<<<blocks_for(rows * channels), BLOCK, 0, stream>>>(
            (T *)to, (uint32_t)to_row, (const T *)from, (uint32_t)(rows * channels),
            (uint32_t)channels);
    });
}
