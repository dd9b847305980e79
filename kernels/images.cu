/* images: batches from uint8 records that stay in device memory.
 *
 * One thread a pixel, its channels together. Reads follow placement.h; the mirrored and moved rows
 * of one warp still lie in one or two lines of memory. */
#include "common.cuh"

struct ImageSize {
    int colors, height, width;
};

/* Pixel (y, x) of one record's image, not mixed yet. */
static __device__ inline void make_pixel(float value[IMAGE_CHANNELS_MAX], const uint8_t *records,
                                         const Placement *placement, ImageSize size,
                                         const PixelScale *scale, int y, int x) {
    size_t pixels = (size_t)size.height * size.width;
    const uint8_t *record = records + (size_t)placement->place * (size.colors * pixels);
    PixelSource source = placement_source(placement, size.height, size.width, y, x);
    bool cut = placement_is_cut(placement, y, x);
#pragma unroll
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++) {
        if (c >= size.colors)
            break;
        uint8_t byte = placement_byte(&source, record + c * pixels, placement->fill[c]);
        float scaled = placement_scale(byte, scale->unit, scale->mean[c], scale->std[c]);
        value[c] = cut ? 0 : placement_jitter(placement, scaled);
    }
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    load_images(T *images, int channels, const uint8_t *records, const Placement *placements,
                const Placement *partners, ImageSize size, PixelScale scale, uint32_t threads) {
    uint32_t pixels = (uint32_t)(size.height * size.width);
    if (thread_index() >= threads)
        return;
    int pixel = (int)(thread_index() % pixels);
    int y = pixel / size.width, x = pixel % size.width;
    uint32_t image = thread_index() / pixels;
    T *out = images + (size_t)thread_index() * channels;
    float value[IMAGE_CHANNELS_MAX], second[IMAGE_CHANNELS_MAX];
    Placement placement = placements[image];
    bool mixed =
        partners != NULL && placement.mix.label_share > 0 && mix_covers(&placement.mix, y, x);
    make_pixel(value, records, &placement, size, &scale, y, x);
    if (mixed) {
        Placement partner = partners[image];
        make_pixel(second, records, &partner, size, &scale, y, x);
    }
#pragma unroll
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++) {
        if (c >= size.colors)
            break;
        out[c] = from_float<T>(mixed ? mix_pixel(&placement.mix, value[c], second[c]) : value[c]);
    }
    for (int c = size.colors; c < channels; c++)
        out[c] = from_float<T>(0);
}

cudaError_t gpu_load_images(void *images, DType type, Shape shape, int64_t channels,
                            const uint8_t *records, const Placement *placement,
                            const Placement *partner, PixelScale scale, cudaStream_t stream) {
    int64_t threads = shape.n * shape.h * shape.w;
    if (threads < 1 || channels < shape.c || shape.c > IMAGE_CHANNELS_MAX ||
        threads * channels > INT32_MAX)
        return cudaErrorInvalidValue;
    ImageSize size = {(int)shape.c, (int)shape.h, (int)shape.w};
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        load_images<<<blocks_for(threads), BLOCK, 0, stream>>>((T *)images, (int)channels, records,
                                                               placement, partner, size, scale,
                                                               (uint32_t)threads);
    });
}
