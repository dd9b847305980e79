/* pool: largest or mean value of square windows, in pixels layout.
 *
 * A thread has one pack of channels of one output (forward) or one input (backward). Backward asks
 * for each input which windows it lies in and adds up in the order of the windows: no atomics, and
 * the same bits always. Padding never wins and does not count. */
#include "common.cuh"

/* Rows or columns [begin, end) of a window that lie on the map. */
struct Span {
    int begin, end;
};

static __device__ inline Span window(int out, int kernel, int stride, int pad, int size) {
    int begin = out * stride - pad;
    return {max(begin, 0), min(begin + kernel, size)};
}

/* Outputs [begin, end) whose windows contain input row or column `in`. */
static __device__ inline Span windows_of(int in, int kernel, int stride, int pad, int outs) {
    int first = in + pad - kernel + 1; /* of the lowest window, rounded up to a stride */
    return {first > 0 ? (first + stride - 1) / stride : 0, min((in + pad) / stride + 1, outs)};
}

/* What thread `i` works on: a pack of channels, counted in packs, at one place of one image. */
struct Place {
    uint32_t n, pack;
    int row, column;
};

static __device__ inline Place place_of(uint32_t i, uint32_t packs, int height, int width) {
    Place place;
    place.pack = i % packs;
    i /= packs;
    place.column = (int)(i % (uint32_t)width);
    i /= (uint32_t)width;
    place.row = (int)(i % (uint32_t)height);
    place.n = i / (uint32_t)height;
    return place;
}

/* Index of a pack in an array of [n][height][width][packs]. */
static __device__ inline uint32_t pack_at(Place place, int row, int column, uint32_t packs,
                                          int height, int width) {
    return ((place.n * height + row) * width + column) * packs + place.pack;
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    maxpool(T *y, uint16_t *winner, const T *x, PoolShape s, uint32_t count) {
    uint32_t i = thread_index(), packs = (uint32_t)s.c / V;
    if (i >= count)
        return;
    Place at = place_of(i, packs, s.out_h, s.out_w);
    Span rows = window(at.row, s.kernel, s.stride, s.pad, s.in_h);
    Span columns = window(at.column, s.kernel, s.stride, s.pad, s.in_w);
    int top = at.row * s.stride - s.pad, left = at.column * s.stride - s.pad;
    float best[V];
    int won[V];
#pragma unroll
    for (int k = 0; k < V; k++) {
        best[k] = -INFINITY;
        won[k] = (rows.begin - top) * s.kernel + columns.begin - left;
    }
    for (int row = rows.begin; row < rows.end; row++)
        for (int column = columns.begin; column < columns.end; column++) {
            Pack<T, V> px = load<V>(x, pack_at(at, row, column, packs, s.in_h, s.in_w));
            int place = (row - top) * s.kernel + column - left;
#pragma unroll
            for (int k = 0; k < V; k++) {
                float value = as_float(px.at[k]);
                if (value > best[k] || (isnan(value) && !isnan(best[k]))) {
                    best[k] = value;
                    won[k] = place;
                }
            }
        }
    Pack<T, V> py;
    Pack<uint16_t, V> places;
#pragma unroll
    for (int k = 0; k < V; k++) {
        py.at[k] = from_float<T>(best[k]);
        places.at[k] = (uint16_t)won[k];
    }
    store<V>(y, i, py);
    if (winner)
        store<V>(winner, i, places);
}

/* Writes sum, or adds it to what is there. */
template <int V, typename T>
static __device__ inline void put(T *to, uint32_t i, const float *sum, bool add) {
    Pack<T, V> pack;
    if (add)
        pack = load<V>((const T *)to, i);
#pragma unroll
    for (int k = 0; k < V; k++)
        pack.at[k] = from_float<T>(add ? as_float(pack.at[k]) + sum[k] : sum[k]);
    store<V>(to, i, pack);
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    maxpool_backward(T *grad_x, const T *grad_y, const uint16_t *winner, PoolShape s,
                     uint32_t count, bool add) {
    uint32_t i = thread_index(), packs = (uint32_t)s.c / V;
    if (i >= count)
        return;
    Place at = place_of(i, packs, s.in_h, s.in_w);
    Span rows = windows_of(at.row, s.kernel, s.stride, s.pad, s.out_h);
    Span columns = windows_of(at.column, s.kernel, s.stride, s.pad, s.out_w);
    float sum[V] = {0};
    for (int row = rows.begin; row < rows.end; row++)
        for (int column = columns.begin; column < columns.end; column++) {
            uint32_t from = pack_at(at, row, column, packs, s.out_h, s.out_w);
            int place = (at.row - row * s.stride + s.pad) * s.kernel + at.column -
                        column * s.stride + s.pad;
            Pack<uint16_t, V> won = load<V>(winner, from);
            Pack<T, V> grad = load<V>(grad_y, from);
#pragma unroll
            for (int k = 0; k < V; k++)
                sum[k] += won.at[k] == place ? as_float(grad.at[k]) : 0;
        }
    put<V>(grad_x, i, sum, add);
}

static __device__ inline float share_of(const PoolShape &s, Span rows, Span columns) {
    int inside = (rows.end - rows.begin) * (columns.end - columns.begin);
    return 1 / (float)(s.count_pad ? s.kernel * s.kernel : inside);
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    avgpool(T *y, const T *x, PoolShape s, uint32_t count) {
    uint32_t i = thread_index(), packs = (uint32_t)s.c / V;
    if (i >= count)
        return;
    Place at = place_of(i, packs, s.out_h, s.out_w);
    Span rows = window(at.row, s.kernel, s.stride, s.pad, s.in_h);
    Span columns = window(at.column, s.kernel, s.stride, s.pad, s.in_w);
    float sum[V] = {0}, share = share_of(s, rows, columns);
    for (int row = rows.begin; row < rows.end; row++)
#pragma unroll 2
        for (int column = columns.begin; column < columns.end; column++) {
            Pack<T, V> px = load<V>(x, pack_at(at, row, column, packs, s.in_h, s.in_w));
#pragma unroll
            for (int k = 0; k < V; k++)
                sum[k] += as_float(px.at[k]);
        }
#pragma unroll
    for (int k = 0; k < V; k++)
        sum[k] *= share;
    put<V>(y, i, sum, false);
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    avgpool_backward(T *grad_x, const T *grad_y, PoolShape s, uint32_t count, bool add) {
    uint32_t i = thread_index(), packs = (uint32_t)s.c / V;
    if (i >= count)
        return;
    Place at = place_of(i, packs, s.in_h, s.in_w);
    Span rows = windows_of(at.row, s.kernel, s.stride, s.pad, s.out_h);
    Span columns = windows_of(at.column, s.kernel, s.stride, s.pad, s.out_w);
    float sum[V] = {0};
    for (int row = rows.begin; row < rows.end; row++)
        for (int column = columns.begin; column < columns.end; column++) {
            Pack<T, V> grad = load<V>(grad_y, pack_at(at, row, column, packs, s.out_h, s.out_w));
            float share = share_of(s, window(row, s.kernel, s.stride, s.pad, s.in_h),
                                   window(column, s.kernel, s.stride, s.pad, s.in_w));
#pragma unroll
            for (int k = 0; k < V; k++)
                sum[k] += as_float(grad.at[k]) * share;
        }
    put<V>(grad_x, i, sum, add);
}

/* Calls launch(T(), PackOf<V>()); winners are 16 bits a place. */
template <typename Launch>
static cudaError_t by_shape(DType type, const PoolShape &s, Launch launch) {
    int64_t maps = (int64_t)s.n * s.c, in = maps * s.in_h * s.in_w, out = maps * s.out_h * s.out_w;
    if (s.kernel < 1 || s.kernel > 255 || s.stride < 1)
        return cudaErrorInvalidValue;
    return by_pack(type, s.c, in > out ? in : out, launch);
}

static int64_t outputs(const PoolShape &s) {
    return (int64_t)s.n * s.c * s.out_h * s.out_w;
}

static int64_t inputs(const PoolShape &s) {
    return (int64_t)s.n * s.c * s.in_h * s.in_w;
}

cudaError_t gpu_maxpool(void *y, uint16_t *winner, const void *x, DType type, PoolShape shape,
                        cudaStream_t stream) {
    return by_shape(type, shape, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        int64_t count = outputs(shape) / V;
        maxpool<V><<<blocks_for(count), BLOCK, 0, stream>>>((T *)y, winner, (const T *)x, shape,
                                                            (uint32_t)count);
    });
}

cudaError_t gpu_maxpool_backward(void *grad_x, const void *grad_y, const uint16_t *winner,
                                 DType type, PoolShape shape, bool add, cudaStream_t stream) {
    return by_shape(type, shape, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        int64_t count = inputs(shape) / V;
        maxpool_backward<V><<<blocks_for(count), BLOCK, 0, stream>>>(
            (T *)grad_x, (const T *)grad_y, winner, shape, (uint32_t)count, add);
    });
}

cudaError_t gpu_avgpool(void *y, const void *x, DType type, PoolShape shape, cudaStream_t stream) {
    return by_shape(type, shape, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        int64_t count = outputs(shape) / V;
        avgpool<V>
            <<<blocks_for(count), BLOCK, 0, stream>>>((T *)y, (const T *)x, shape, (uint32_t)count);
    });
}

cudaError_t gpu_avgpool_backward(void *grad_x, const void *grad_y, DType type, PoolShape shape,
                                 bool add, cudaStream_t stream) {
    return by_shape(type, shape, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        int64_t count = inputs(shape) / V;
        avgpool_backward<V><<<blocks_for(count), BLOCK, 0, stream>>>((T *)grad_x, (const T *)grad_y,
                                                                     shape, (uint32_t)count, add);
    });
}
