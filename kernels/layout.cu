/* layout: between planes, N C H W, and pixels, N H W C, and between float and bf16.
 *
 * Both directions go through a tile in shared memory, up to 32 channels x 32 pixels, one column
 * wider than that so that no two threads of a warp meet in a bank. For a 3 x 3 weight a tile is 32
 * x 9 elements, which lie together in planes: reads and writes are whole lines either way. */
#include "common.cuh"

enum { TILE = 32 };

/* Which tile of which image or filter a block has. */
struct Tile {
    uint32_t n, channel, pixel; /* first of the tile */
    int wide, high;             /* pixels and channels of it that exist */
};

static __device__ inline Tile this_tile(uint32_t channels, uint32_t hw) {
    uint32_t across = (hw + TILE - 1) / TILE, down = (channels + TILE - 1) / TILE;
    Tile tile;
    tile.pixel = blockIdx.x % across * TILE;
    tile.channel = blockIdx.x / across % down * TILE;
    tile.n = blockIdx.x / across / down;
    tile.wide = (int)min(hw - tile.pixel, (uint32_t)TILE);
    tile.high = (int)min(channels - tile.channel, (uint32_t)TILE);
    return tile;
}

template <typename To, typename From>
static __global__ void __launch_bounds__(BLOCK)
    to_nhwc(To *to, uint32_t to_channels, const From *from, uint32_t c, uint32_t hw) {
    __shared__ float held[TILE][TILE + 1];
    Tile tile = this_tile(to_channels, hw);
    for (int i = (int)threadIdx.x; i < tile.high * tile.wide; i += BLOCK) {
        uint32_t channel = tile.channel + (uint32_t)(i / tile.wide);
        uint32_t pixel = tile.pixel + (uint32_t)(i % tile.wide);
        held[i / tile.wide][i % tile.wide] =
            channel < c ? as_float(from[(tile.n * c + channel) * hw + pixel]) : 0;
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < tile.high * tile.wide; i += BLOCK) {
        uint32_t channel = tile.channel + (uint32_t)(i % tile.high);
        uint32_t pixel = tile.pixel + (uint32_t)(i / tile.high);
        to[(tile.n * hw + pixel) * to_channels + channel] =
            from_float<To>(held[i % tile.high][i / tile.high]);
    }
}

template <typename To, typename From>
static __global__ void __launch_bounds__(BLOCK)
    to_nchw(To *to, const From *from, uint32_t from_channels, uint32_t c, uint32_t hw) {
    __shared__ float held[TILE][TILE + 1];
    Tile tile = this_tile(c, hw);
    for (int i = (int)threadIdx.x; i < tile.high * tile.wide; i += BLOCK) {
        uint32_t channel = tile.channel + (uint32_t)(i % tile.high);
        uint32_t pixel = tile.pixel + (uint32_t)(i / tile.high);
        held[i % tile.high][i / tile.high] =
            as_float(from[(tile.n * hw + pixel) * from_channels + channel]);
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < tile.high * tile.wide; i += BLOCK) {
        uint32_t channel = tile.channel + (uint32_t)(i / tile.wide);
        uint32_t pixel = tile.pixel + (uint32_t)(i % tile.wide);
        to[(tile.n * c + channel) * hw + pixel] =
            from_float<To>(held[i / tile.wide][i % tile.wide]);
    }
}

template <typename To, typename From>
static __global__ void __launch_bounds__(BLOCK) cast(To *to, const From *from, int64_t count) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < count)
        to[i] = from_float<To>(as_float(from[i]));
}

static __global__ void __launch_bounds__(BLOCK) fill(float *to, float value, uint32_t count) {
    uint32_t i = thread_index();
    if (i < count)
        to[i] = value;
}

cudaError_t gpu_fill(float *to, float value, int64_t count, cudaStream_t stream) {
    if (count < 1 || count > INT32_MAX)
        return cudaErrorInvalidValue;
    fill<<<blocks_for(count), BLOCK, 0, stream>>>(to, value, (uint32_t)count);
    return cudaGetLastError();
}

static int64_t tiles(int64_t n, int64_t channels, int64_t hw) {
    return n * ((channels + TILE - 1) / TILE) * ((hw + TILE - 1) / TILE);
}

/* Calls launch(To(), From()). */
template <typename Launch>
static cudaError_t by_types(DType to_type, DType from_type, Launch launch) {
    cudaError_t inner = cudaSuccess;
    cudaError_t outer = by_type(to_type, [&](auto to) {
        inner = by_type(from_type, [&](auto from) { launch(to, from); });
    });
    return inner != cudaSuccess ? inner : outer;
}

cudaError_t gpu_to_nhwc(void *to, DType to_type, int64_t to_channels, const void *from,
                        DType from_type, int64_t n, int64_t c, int64_t hw, cudaStream_t stream) {
    if (n < 1 || c < 1 || hw < 1 || to_channels < c || n * to_channels * hw > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_types(to_type, from_type, [&](auto a, auto b) {
        using To = decltype(a);
        using From = decltype(b);
        to_nhwc<<<(unsigned)tiles(n, to_channels, hw), BLOCK, 0, stream>>>(
            (To *)to, (uint32_t)to_channels, (const From *)from, (uint32_t)c, (uint32_t)hw);
    });
}

cudaError_t gpu_to_nchw(void *to, DType to_type, const void *from, DType from_type,
                        int64_t from_channels, int64_t n, int64_t c, int64_t hw,
                        cudaStream_t stream) {
    if (n < 1 || c < 1 || hw < 1 || from_channels < c || n * from_channels * hw > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_types(to_type, from_type, [&](auto a, auto b) {
        using To = decltype(a);
        using From = decltype(b);
        to_nchw<<<(unsigned)tiles(n, c, hw), BLOCK, 0, stream>>>(
            (To *)to, (const From *)from, (uint32_t)from_channels, (uint32_t)c, (uint32_t)hw);
    });
}

cudaError_t gpu_cast(void *to, DType to_type, const void *from, DType from_type, int64_t count,
                     cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    return by_types(to_type, from_type, [&](auto a, auto b) {
        using To = decltype(a);
        using From = decltype(b);
        cast<<<blocks_for(count), BLOCK, 0, stream>>>((To *)to, (const From *)from, count);
    });
}
