/* common: what the kernels share: element types, packs of elements, launches.
 *
 * A thread handles one pack: up to 16 bytes that lie together, so that every access is as wide as
 * the hardware has it. Where a length is no multiple of a pack the same template runs with packs of
 * one element. Activations have fewer than 2^31 elements, which keeps index arithmetic in 32 bits.
 *
 * Files are compiled without contraction to fused multiply-adds: results follow from the text. */
#ifndef LOCKSTEP_KERNELS_COMMON_CUH
#define LOCKSTEP_KERNELS_COMMON_CUH

#include <cuda_bf16.h>

#include "kernels.h"

typedef __nv_bfloat16 bf16;

enum { BLOCK = 256, PACK_BYTES = 16 };

template <typename T, int V> struct alignas(sizeof(T) * V) Pack { T at[V]; };

/* Elements of T in a full pack. */
template <typename T> constexpr int full_pack() {
    return PACK_BYTES / (int)sizeof(T);
}

static __device__ inline float as_float(float x) {
    return x;
}
static __device__ inline float as_float(bf16 x) {
    return __bfloat162float(x);
}
template <typename T> static __device__ inline T from_float(float x);
template <> __device__ inline float from_float<float>(float x) {
    return x;
}
template <> __device__ inline bf16 from_float<bf16>(float x) {
    return __float2bfloat16(x);
}

/* Pack `i` of an array of elements. */
template <int V, typename T> static __device__ inline Pack<T, V> load(const T *from, uint32_t i) {
    return reinterpret_cast<const Pack<T, V> *>(from)[i];
}
template <int V, typename T>
static __device__ inline void store(T *to, uint32_t i, const Pack<T, V> &pack) {
    reinterpret_cast<Pack<T, V> *>(to)[i] = pack;
}

/* NaN stays NaN, as in the other backends. */
static __device__ inline float relu_of(float x) {
    return x < 0 ? 0 : x;
}

static __device__ inline uint32_t thread_index() {
    return blockIdx.x * (uint32_t)BLOCK + threadIdx.x;
}

static inline unsigned blocks_for(int64_t threads) {
    return (unsigned)((threads + BLOCK - 1) / BLOCK);
}

/* Calls launch(T()) with the element type T of `type`; then the launch's error. */
template <typename Launch> static cudaError_t by_type(DType type, Launch launch) {
    if (type == DT_F32)
        launch(float());
    else if (type == DT_BF16)
        launch(bf16());
    else
        return cudaErrorInvalidValue;
    return cudaGetLastError();
}

template <int V> struct PackOf { static constexpr int elements = V; };

/* Calls launch(T(), PackOf<V>()): full packs where `length` is a multiple of them, else single
 * elements. `count` is the number of elements of the largest array. */
template <typename Launch>
static cudaError_t by_pack(DType type, int64_t length, int64_t count, Launch launch) {
    if (length < 1 || count < 1 || count > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        constexpr int full = full_pack<decltype(zero)>();
        if (length % full == 0)
            launch(zero, PackOf<full>());
        else
            launch(zero, PackOf<1>());
    });
}

#endif
