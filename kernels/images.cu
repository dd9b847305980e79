/* images: batches from uint8 records that stay in device memory.
 *
 * One thread a pixel, its channels together. Reads follow placement.h; the mirrored and moved rows
 * of one warp still lie in one or two lines of memory. */
#include "common.cuh"

struct ImageSize {
    int colors, height, width;
};

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    load_images(T *images, int channels, const uint8_t *records, const Placement *placements,
                ImageSize size, PixelScale scale, uint32_t threads) {
    uint32_t pixels = (uint32_t)(size.height * size.width);
    if (thread_index() >= threads)
        return;
    int pixel = (int)(thread_index() % pixels);
    int y = pixel / size.width, x = pixel % size.width;
    Placement placement = placements[thread_index() / pixels];
    const uint8_t *record = records + (size_t)placement.place * (size.colors * pixels);
    T *out = images + (size_t)thread_index() * channels;
    PixelSource source = placement_source(&placement, size.height, size.width, y, x);
    bool cut = placement_is_cut(&placement, y, x);
#pragma unroll
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++) {
        if (c >= size.colors)
            break;
        uint8_t byte = placement_byte(&source, record + c * pixels, placement.fill[c]);
        float value = placement_scale(byte, scale.unit, scale.mean[c], scale.std[c]);
        out[c] = from_float<T>(cut ? 0 : placement_jitter(&placement, value));
    }
    for (int c = size.colors; c < channels; c++)
        out[c] = from_float<T>(0);
}

cudaError_t gpu_load_images(void *images, DType type, Shape shape, int64_t channels,
                            const uint8_t *records, const Placement *placement, PixelScale scale,
                            cudaStream_t stream) {
    int64_t threads = shape.n * shape.h * shape.w;
    if (threads < 1 || channels < shape.c || shape.c > IMAGE_CHANNELS_MAX ||
        threads * channels > INT32_MAX)
        return cudaErrorInvalidValue;
    ImageSize size = {(int)shape.c, (int)shape.h, (int)shape.w};
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        load_images<<<blocks_for(threads), BLOCK, 0, stream>>>(
            (T *)images, (int)channels, records, placement, size, scale, (uint32_t)threads);
    });
}
