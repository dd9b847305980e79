/* channels: some channels of every pixel from one activation to another, channels in another order,
 * and products with a gate, a factor for each channel of each image. */
#include "common.cuh"

/* A thread writes one pack: channels [to_first, to_first + width) of each row. The channel read is
 * that one plus `shift`; where the input has none, 0 is written. */
template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    move_channels(T *to, uint32_t to_channels, uint32_t to_first, uint32_t width, const T *from,
                  uint32_t from_channels, int32_t shift, uint32_t packs, bool add) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t row = i * V / width, channel = to_first + i * V % width;
    uint32_t at = (row * to_channels + channel) / V;
    int32_t source = (int32_t)channel + shift;
    Pack<T, V> px = {}, py = {};
    if (source >= 0 && source < (int32_t)from_channels)
        px = load<V>(from, (row * from_channels + (uint32_t)source) / V);
    if (add)
        py = load<V>((const T *)to, at);
#pragma unroll
    for (int k = 0; k < V; k++)
        py.at[k] = add ? from_float<T>(as_float(py.at[k]) + as_float(px.at[k])) : px.at[k];
    store<V>(to, at, py);
}

static int64_t common_divisor(int64_t a, int64_t b) {
    return b == 0 ? a : common_divisor(b, a % b);
}

cudaError_t gpu_move_channels(void *to, int64_t to_channels, int64_t to_first, int64_t width,
                              const void *from, int64_t from_channels, int64_t from_first,
                              DType type, int64_t rows, bool add, cudaStream_t stream) {
    int64_t shift = from_first - to_first, most = to_channels;
    int64_t length =
        common_divisor(common_divisor(to_channels, from_channels),
                       common_divisor(width, common_divisor(to_first, shift < 0 ? -shift : shift)));
    if (to_first < 0 || width < 1 || to_first + width > to_channels || from_channels < 1)
        return cudaErrorInvalidValue;
    if (from_channels > most)
        most = from_channels;
    return by_pack(type, length, rows * most, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        uint32_t packs = (uint32_t)(rows * width / V);
        move_channels<V><<<blocks_for(packs), BLOCK, 0, stream>>>(
            (T *)to, (uint32_t)to_channels, (uint32_t)to_first, (uint32_t)width, (const T *)from,
            (uint32_t)from_channels, (int32_t)shift, packs, add);
    });
}

/* A thread writes one channel of one row; neighbours read channels / groups apart, from lines that
 * the cache keeps. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    shuffle_channels(T *y, const T *x, uint32_t count, uint32_t channels, uint32_t groups,
                     bool add) {
    uint32_t i = thread_index();
    if (i >= count)
        return;
    uint32_t row = i / channels, c = i % channels;
    T value = x[row * channels + c % groups * (channels / groups) + c / groups];
    y[i] = add ? from_float<T>(as_float(y[i]) + as_float(value)) : value;
}

cudaError_t gpu_shuffle_channels(void *y, const void *x, DType type, int64_t rows, int64_t channels,
                                 int64_t groups, bool add, cudaStream_t stream) {
    int64_t count = rows * channels;
    if (rows < 1 || groups < 1 || channels < 1 || channels % groups != 0 || count > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        shuffle_channels<<<blocks_for(count), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, (uint32_t)count, (uint32_t)channels, (uint32_t)groups, add);
    });
}

/* ---- gates ---- */

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    apply_gate(T *y, const T *x, const T *gate, uint32_t packs, uint32_t hw, uint32_t channels,
               bool add) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t channel = i * V % channels, n = i * V / channels / hw;
    Pack<T, V> px = load<V>(x, i), pg = load<V>(gate, (n * channels + channel) / V), py = px;
    if (add)
        py = load<V>((const T *)y, i);
#pragma unroll
    for (int k = 0; k < V; k++) {
        float value = as_float(px.at[k]) * as_float(pg.at[k]);
        py.at[k] = from_float<T>(add ? as_float(py.at[k]) + value : value);
    }
    store<V>(y, i, py);
}

cudaError_t gpu_gate(void *y, const void *x, const void *gate, DType type, int64_t n, int64_t hw,
                     int64_t channels, bool add, cudaStream_t stream) {
    int64_t count = n * hw * channels;
    return by_pack(type, channels, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        apply_gate<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, (const T *)gate, (uint32_t)(count / V), (uint32_t)hw,
            (uint32_t)channels, add);
    });
}

enum { ACROSS = 32, LINES = BLOCK / ACROSS };

/* A block has 32 channels of one image; its lines walk the pixels in turn and are added in order.
 */
template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    sum_gate(T *grad_gate, const T *grad_y, const T *x, uint32_t hw, uint32_t channels, bool add) {
    __shared__ float lines[LINES][ACROSS];
    uint32_t channel = blockIdx.x * ACROSS + threadIdx.x, n = blockIdx.y;
    float sum = 0;
    if (channel < channels)
        for (uint32_t pixel = threadIdx.y; pixel < hw; pixel += LINES) {
            uint32_t at = (n * hw + pixel) * channels + channel;
            sum += as_float(grad_y[at]) * as_float(x[at]);
        }
    lines[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || channel >= channels)
        return;
    float total = 0;
    for (int line = 0; line < LINES; line++)
        total += lines[line][threadIdx.x];
    uint32_t to = n * channels + channel;
    grad_gate[to] = from_float<T>(add ? as_float(grad_gate[to]) + total : total);
}

cudaError_t gpu_gate_backward(void *grad_gate, const void *grad_y, const void *x, DType type,
                              int64_t n, int64_t hw, int64_t channels, bool add,
                              cudaStream_t stream) {
    if (n < 1 || n > 65535 || hw < 1 || channels < 1 || n * hw * channels > INT32_MAX)
        return cudaErrorInvalidValue;
    dim3 grid((unsigned)((channels + ACROSS - 1) / ACROSS), (unsigned)n);
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        sum_gate<<<grid, dim3(ACROSS, LINES), 0, stream>>>(
            (T *)grad_gate, (const T *)grad_y, (const T *)x, (uint32_t)hw, (uint32_t)channels, add);
    });
}
