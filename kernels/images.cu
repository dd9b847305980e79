/* images: batches from uint8 records that stay in device memory.
 *
 * A block an image. Without changes of bytes each value is made straight from the record, whose
 * mirrored and moved rows still lie in one or two lines of memory for a warp. With them the
 * image's bytes are in shared memory, where each change is a pass of the block (pixel_change.cuh);
 * so is the partner's, where the image is mixed. */
#include "pixel_change.cuh"

static __device__ inline const uint8_t *record_of(const uint8_t *records,
                                                  const Placement *placement, ImageSize size) {
    return records + (size_t)placement->place * (size.colors * size.height * size.width);
}

/* An image's bytes, in *bytes with *spare beside it (see change_pixels): as they are behind the
 * mirror, then changed. */
static __device__ inline void make_changed(uint8_t **bytes, uint8_t **spare, const uint8_t *records,
                                           const Placement *placement, const PixelChange *change,
                                           int changes, ImageSize size) {
    int pixels = size.height * size.width;
    const uint8_t *record = record_of(records, placement, size);
    for (int i = (int)threadIdx.x; i < pixels; i += BLOCK) {
        PixelSource source =
            placement_source(placement, size.height, size.width, i / size.width, i % size.width);
        for (int c = 0; c < size.colors; c++)
            (*bytes)[c * pixels + i] =
                placement_byte(&source, record + c * pixels, placement->fill[c]);
    }
    __syncthreads();
    change_pixels(bytes, spare, change, changes, placement->fill, size);
}

/* Channel c of pixel (y, x) of an image, not mixed yet. `changed`: its bytes in shared memory, or
 * NULL: as the placement has them. */
static __device__ inline float value_at(const uint8_t *records, const uint8_t *changed,
                                        const Placement *placement, ImageSize size,
                                        const ImageRule *rule, int c, int y, int x) {
    const PixelScale *scale = &rule->scale;
    int plane = c * size.height * size.width;
    uint8_t byte;
    if (erase_covers(&placement->erase, y, x))
        return erase_value(&rule->erase, &placement->erase, c, y, x);
    if (placement_is_cut(placement, y, x))
        return 0;
    if (changed) {
        byte = changed[plane + y * size.width + x];
    } else {
        PixelSource source = placement_source(placement, size.height, size.width, y, x);
        byte = placement_byte(&source, record_of(records, placement, size) + plane,
                              placement->fill[c]);
    }
    return placement_jitter(placement,
                            placement_scale(byte, scale->unit, scale->mean[c], scale->std[c]));
}

/* An image and its partner are made by one text, in a loop: twice of it would want more registers
 * than there are. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK, 2)
    load_images(T *images, int channels, const uint8_t *records, ImageDraws drawn,
                ImageDraws partner, ImageSize size, const __grid_constant__ ImageRule rule) {
    extern __shared__ uint8_t shared[]; /* [2 or 3][colors][height][width] */
    int values = size.height * size.width * channels;
    int bytes = size.height * size.width * size.colors, image = (int)blockIdx.x;
    const Placement *first = drawn.placement + image;
    int of = partner.placement != NULL && first->mix.label_share > 0 ? 2 : 1;
    uint8_t *mine = NULL, *other = NULL, *spare = shared + bytes; /* bytes, where they change */
    if (rule.changes > 0) {
#pragma unroll 1
        for (int k = 0; k < of; k++) {
            ImageDraws from = k == 0 ? drawn : partner;
            uint8_t *at = shared + 2 * k * bytes;
            make_changed(&at, &spare, records, from.placement + image,
                         from.change + (size_t)image * rule.changes, rule.changes, size);
            mine = k == 0 ? at : mine;
            other = at;
        }
    }
    for (int i = (int)threadIdx.x; i < values; i += BLOCK) {
        int pixel = i / channels, c = i % channels, y = pixel / size.width, x = pixel % size.width;
        float value = 0;
#pragma unroll 1
        for (int k = 0; k < of && c < size.colors; k++) {
            if (k == 1 && !mix_covers(&first->mix, y, x))
                break;
            const Placement *placement = (k == 0 ? drawn : partner).placement + image;
            float made = value_at(records, k == 0 ? mine : other, placement, size, &rule, c, y, x);
            value = k == 0 ? made : mix_pixel(&first->mix, value, made);
        }
        images[(size_t)image * values + i] = from_float<T>(value);
    }
}

cudaError_t gpu_load_images(void *images, DType type, Shape shape, int64_t channels,
                            const uint8_t *records, ImageDraws drawn, ImageDraws partner,
                            ImageRule rule, cudaStream_t stream) {
    ImageSize size = {(int)shape.c, (int)shape.h, (int)shape.w};
    bool mixes = partner.placement != NULL, changes = rule.changes > 0;
    if (shape.n < 1 || shape.h < 1 || shape.h > IMAGE_SIDE_MAX || shape.w < 1 ||
        shape.w > IMAGE_SIDE_MAX || shape.c < 1 || shape.c > IMAGE_CHANNELS_MAX ||
        channels < shape.c || shape.n * shape.h * shape.w * channels > INT32_MAX ||
        (changes && shape.c != 1 && shape.c != PIXEL_CHANNELS_MAX))
        return cudaErrorInvalidValue;
    size_t bytes = changes ? (size_t)((mixes ? 3 : 2) * shape.c * shape.h * shape.w) : 0;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        load_images<<<(unsigned)shape.n, BLOCK, bytes, stream>>>(
            (T *)images, (int)channels, records, drawn, partner, size, rule);
    });
}
