/* images: batches from uint8 records that stay in device memory.
 *
 * One thread a pixel, its channels together. Reads follow placement.h; the mirrored and moved rows
 * of one warp still lie in one or two lines of memory. */
#include "common.cuh"

enum { PIXELS = PLACEMENT_SIDE * PLACEMENT_SIDE, COLORS = 3 };

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    load_images(T *images, int channels, const uint8_t *records, const Placement *placements,
                PixelScale scale) {
    int pixel = (int)(thread_index() % PIXELS);
    uint32_t image = thread_index() / PIXELS;
    int y = pixel / PLACEMENT_SIDE, x = pixel % PLACEMENT_SIDE;
    Placement placement = placements[image];
    const uint8_t *record = records + (size_t)placement.place * (COLORS * PIXELS);
    T *out = images + (size_t)thread_index() * channels;
    int from = placement_source(&placement, y, x);
    bool cut = placement_is_cut(&placement, y, x);
#pragma unroll
    for (int c = 0; c < COLORS; c++) {
        uint8_t byte = from < 0 ? placement.fill : record[c * PIXELS + from];
        float value = placement_scale(byte, scale.mean[c], scale.std[c]);
        out[c] = from_float<T>(cut ? 0 : value);
    }
    for (int c = COLORS; c < channels; c++)
        out[c] = from_float<T>(0);
}

cudaError_t gpu_load_images(void *images, DType type, int64_t n, int64_t channels,
                            const uint8_t *records, const Placement *placement, PixelScale scale,
                            cudaStream_t stream) {
    if (n < 1 || channels < COLORS || n * PIXELS * channels > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        load_images<<<(unsigned)(n * PIXELS / BLOCK), BLOCK, 0, stream>>>(
            (T *)images, (int)channels, records, placement, scale);
    });
}
