/* pixel_change: changes of one image's bytes in shared memory by a block, a pass each; the
 * arithmetic is that of lockstep/pixel_change.h. A histogram counts whole numbers, so the order of
 * its atomics does not show. */
#ifndef LOCKSTEP_KERNELS_PIXEL_CHANGE_CUH
#define LOCKSTEP_KERNELS_PIXEL_CHANGE_CUH

#include "common.cuh"

static_assert((int)BLOCK == (int)PIXEL_BYTES, "a thread an entry of a table");

struct ImageSize {
    int colors, height, width;
};

/* What a change looks at beyond its pixel, of each channel. */
struct PixelTables {
    int count[PIXEL_CHANNELS_MAX][PIXEL_BYTES]; /* pixels of each byte */
    PixelRange range[PIXEL_CHANNELS_MAX];
    uint8_t entry[PIXEL_CHANNELS_MAX][PIXEL_BYTES];
};

static __device__ inline Colour colour_at(const uint8_t *bytes, int pixels, int i) {
    return Colour{{bytes[i], bytes[pixels + i], bytes[2 * pixels + i]}};
}

/* The mean of the grey image, to range[0]. */
static __device__ inline void find_mean(PixelTables *tables, const uint8_t *bytes, ImageSize size) {
    int pixels = size.height * size.width, sum = 0;
    if (threadIdx.x == 0)
        tables->range[0] = PixelRange{0, 0, 0};
    __syncthreads();
    for (int i = (int)threadIdx.x; i < pixels; i += BLOCK)
        sum += size.colors == 1 ? bytes[i] : colour_grey(colour_at(bytes, pixels, i));
    atomicAdd(&tables->range[0].brightest, sum);
    __syncthreads();
    if (threadIdx.x == 0)
        tables->range[0].darkest = pixel_mean(tables->range[0].brightest, pixels);
}

/* How often each channel has each byte, and what follows. */
static __device__ inline void find_ranges(PixelTables *tables, const uint8_t *bytes,
                                          ImageSize size) {
    int pixels = size.height * size.width, byte = (int)threadIdx.x;
    for (int c = 0; c < size.colors; c++)
        tables->count[c][byte] = 0;
    if (byte < size.colors)
        tables->range[byte] = PixelRange{PIXEL_BYTES, -1, 0};
    __syncthreads();
    for (int c = 0; c < size.colors; c++)
        for (int i = byte; i < pixels; i += BLOCK)
            atomicAdd(&tables->count[c][bytes[c * pixels + i]], 1);
    __syncthreads();
    for (int c = 0; c < size.colors; c++) {
        if (tables->count[c][byte] > 0) {
            atomicMin(&tables->range[c].darkest, byte);
            atomicMax(&tables->range[c].brightest, byte);
        }
    }
    __syncthreads();
    if (byte < size.colors) {
        PixelRange *range = &tables->range[byte];
        range->step = pixel_step(pixels, tables->count[byte][range->brightest]);
    }
}

/* Every byte of a channel becomes its entry. */
static __device__ inline void by_table(PixelTables *tables, uint8_t *bytes,
                                       const PixelChange *change, ImageSize size) {
    int pixels = size.height * size.width, byte = (int)threadIdx.x;
    bool by_channel = pixel_by_channel(change->op);
    if (by_channel)
        find_ranges(tables, bytes, size);
    else if (change->op == PIXEL_CONTRAST)
        find_mean(tables, bytes, size);
    else if (byte == 0)
        tables->range[0] = PixelRange{0, 0, 0};
    __syncthreads();
    for (int c = 0; c < (by_channel ? size.colors : 1); c++) {
        int darker = 0;
        for (int i = 0; change->op == PIXEL_EQUALIZE && i < byte; i++)
            darker += tables->count[c][i];
        tables->entry[c][byte] = pixel_entry(change, tables->range[c], darker, byte);
    }
    __syncthreads();
    for (int c = 0; c < size.colors; c++)
        for (int i = byte; i < pixels; i += BLOCK)
            bytes[c * pixels + i] = tables->entry[by_channel ? c : 0][bytes[c * pixels + i]];
}

/* Each colour by itself. */
static __device__ inline void by_colour(uint8_t *bytes, const PixelChange *change, ImageSize size) {
    int pixels = size.height * size.width;
    for (int i = (int)threadIdx.x; i < pixels; i += BLOCK) {
        Colour colour = colour_at(bytes, pixels, i);
        if (change->op == PIXEL_HUE) {
            colour = colour_turned(colour, change->by.number);
        } else {
            int grey = colour_grey(colour);
            for (int c = 0; c < 3; c++)
                colour.at[c] = pixel_blend(grey, colour.at[c], change->by.factor);
        }
        for (int c = 0; c < 3; c++)
            bytes[c * pixels + i] = colour.at[c];
    }
}

/* Byte (y, x) of a plane, sharpened; pixels at an edge stay as they are. */
static __device__ inline uint8_t sharpened(const uint8_t *plane, float factor, ImageSize size,
                                           int y, int x) {
    const uint8_t *at = plane + y * size.width + x;
    if (y == 0 || y == size.height - 1 || x == 0 || x == size.width - 1)
        return *at;
    int sum = 4 * *at;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            sum += at[dy * size.width + dx];
    return pixel_blend(pixel_smooth(sum), *at, factor);
}

/* Each byte from others of its plane. */
static __device__ inline void by_place(uint8_t *target, const uint8_t *bytes,
                                       const PixelChange *change, const uint8_t *fill,
                                       ImageSize size) {
    int pixels = size.height * size.width;
    for (int i = (int)threadIdx.x; i < pixels; i += BLOCK) {
        int y = i / size.width, x = i % size.width, from = 0;
        if (change->op == PIXEL_MOVE)
            from = pixel_moved(change->by.map, size.height, size.width, y, x);
        for (int c = 0; c < size.colors; c++) {
            const uint8_t *plane = bytes + c * pixels;
            target[c * pixels + i] = change->op == PIXEL_SHARPNESS
                                         ? sharpened(plane, change->by.factor, size, y, x)
                                     : from >= 0 ? plane[from]
                                                 : fill[c];
        }
    }
}

/* All changes of the image *bytes, in order; *bytes and *spare, which is as large, may change
 * places. All threads of the block come, and leave together. */
static __device__ inline void change_pixels(uint8_t **bytes, uint8_t **spare,
                                            const PixelChange *change, int changes,
                                            const uint8_t *fill, ImageSize size) {
    __shared__ PixelTables tables;
    for (int i = 0; i < changes; i++) {
        PixelChange one = change[i];
        if (pixel_keeps(one.op, size.colors))
            continue;
        if (pixel_by_table(one.op)) {
            by_table(&tables, *bytes, &one, size);
        } else if (one.op == PIXEL_SATURATION || one.op == PIXEL_HUE) {
            by_colour(*bytes, &one, size);
        } else {
            by_place(*spare, *bytes, &one, fill, size);
            uint8_t *changed = *spare;
            *spare = *bytes;
            *bytes = changed;
        }
        __syncthreads();
    }
}

#endif
