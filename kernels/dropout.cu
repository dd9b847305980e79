/* dropout: masks of dropout.h, and their application: of elements, and of whole images.
 *
 * A mask counts elements in logical order, as on every device, and activations lie in pixels: the
 * mask is read in strides of the map, a byte an element. */
#include "common.cuh"
#include "lockstep/dropout.h"

/* A thread draws the four elements of one Philox block. */
static __global__ void __launch_bounds__(BLOCK)
    draw_mask(uint8_t *keep, uint32_t count, const KernelRun *run, RngPurpose purpose, int layer,
              double rate) {
    uint32_t block = thread_index(), first = 4 * block;
    if (first >= count)
        return;
    DropoutKey key = dropout_key_of(purpose, run->seed, run->step, run->lane, layer, rate);
    RngBlock words = dropout_block(key, block);
    Pack<uint8_t, 4> kept;
#pragma unroll
    for (int i = 0; i < 4; i++)
        kept.at[i] = (uint8_t)dropout_keeps(key, words.word[i]);
    if (first + 4 <= count)
        store<4>(keep, block, kept);
    else
#pragma unroll
        for (uint32_t i = 0; i < 4; i++)
            if (first + i < count)
                keep[first + i] = kept.at[i];
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    apply_mask(T *y, const T *x, const uint8_t *keep, uint32_t packs, uint32_t hw,
               uint32_t channels, float scale, bool add) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t channel = i * V % channels, row = i * V / channels;
    uint32_t in_mask = (row / hw * channels + channel) * hw + row % hw;
    Pack<T, V> px = load<V>(x, i), py = px;
    if (add)
        py = load<V>((const T *)y, i);
#pragma unroll
    for (int k = 0; k < V; k++) {
        float value = keep[in_mask + k * hw] ? as_float(px.at[k]) * scale : 0;
        py.at[k] = from_float<T>(add ? as_float(py.at[k]) + value : value);
    }
    store<V>(y, i, py);
}

static cudaError_t mask(uint8_t *keep, int64_t count, const KernelRun *run, RngPurpose purpose,
                        int layer, double rate, cudaStream_t stream) {
    if (count < 1 || count > INT32_MAX)
        return cudaErrorInvalidValue;
    draw_mask<<<blocks_for((count + 3) / 4), BLOCK, 0, stream>>>(keep, (uint32_t)count, run,
                                                                 purpose, layer, rate);
    return cudaGetLastError();
}

cudaError_t gpu_dropout_mask(uint8_t *keep, int64_t count, const KernelRun *run, int layer,
                             double rate, cudaStream_t stream) {
    return mask(keep, count, run, RNG_DROPOUT, layer, rate, stream);
}

cudaError_t gpu_dropout_apply(void *y, const void *x, const uint8_t *keep, DType type, int64_t n,
                              int64_t hw, int64_t channels, double rate, bool add,
                              cudaStream_t stream) {
    int64_t count = n * hw * channels;
    return by_pack(type, channels, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        apply_mask<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, keep, (uint32_t)(count / V), (uint32_t)hw, (uint32_t)channels,
            (float)dropout_scale(rate), add);
    });
}

/* ---- whole images ---- */

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    apply_images(T *y, const T *x, const uint8_t *keep, uint32_t packs, uint32_t image, float scale,
                 bool add) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    bool kept = keep[i * V / image] != 0;
    Pack<T, V> px = load<V>(x, i), py = px;
    if (add)
        py = load<V>((const T *)y, i);
#pragma unroll
    for (int k = 0; k < V; k++) {
        float value = kept ? as_float(px.at[k]) * scale : 0;
        py.at[k] = from_float<T>(add ? as_float(py.at[k]) + value : value);
    }
    store<V>(y, i, py);
}

cudaError_t gpu_droppath_mask(uint8_t *keep, int64_t images, const KernelRun *run, int layer,
                              double rate, cudaStream_t stream) {
    return mask(keep, images, run, RNG_DROPPATH, layer, rate, stream);
}

cudaError_t gpu_droppath_apply(void *y, const void *x, const uint8_t *keep, DType type,
                               int64_t images, int64_t image, double rate, bool add,
                               cudaStream_t stream) {
    int64_t count = images * image;
    return by_pack(type, image, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        apply_images<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, keep, (uint32_t)(count / V), (uint32_t)image,
            (float)dropout_scale(rate), add);
    });
}
