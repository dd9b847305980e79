/* cpu/f32_winograd: see f32_winograd.h. How tiles are made is in f32_winograd_transform.c, the
 * product of tiles and weights in f32_dot.c; here is the order in which they are, so that each is
 * found in a cache.
 *
 * Forward, and the gradient of inputs, which is the same with turned weights, take blocks of tiles:
 * all their channels to tiled form, then some panels of output channels at a time 36 products each
 * and the way back. The gradient of weights takes blocks of tiles which are summed over: inputs and
 * output gradients to tiled form, then for each panel of output channels and some input channels 36
 * products, which are added to the sums of earlier blocks and become weights after the last.
 *
 * Bits follow from shapes alone: each sum has one order, scratch is written before it is read, and
 * what lies beyond the edge of a map counts as 0. Error against exact arithmetic, relative in the
 * norm: below 3e-6 in each pass (tests/ops/test_cpu_winograd.c). */
#include "clones.h"

#if FOR_X86

#include "f32_winograd.h"

#include "f32_winograd_transform.h"

/* A block of tiles: as many as have so many elements a plane, in input channels, that 36 planes fit
 * the second cache (512 KiB) beside their products of CONV_CHANNELS output channels, which are made
 * at a time; but enough of them, multiples of the kernel's columns, for each load of weights. */
enum { CONV_PLANE = 1536, CONV_TILES_MIN = 24, CONV_TILES_MAX = 48, CONV_CHANNELS = 64 };

/* Likewise of the gradient of weights, in input and output channels; and the input channels of one
 * product. */
enum { GRAD_PLANE = 4096, GRAD_TILES_MIN = 48, GRAD_TILES_MAX = 96, GRAD_CHANNELS = 24 };

/* Elements, in a cache line, that planes are further apart than they are long, and rows of many
 * channels too: at multiples of a large power of two they would share the few places that a cache
 * has for those. */
enum { GAP = 16, ROW_APART = 128 };

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t row_of(int64_t channels) {
    return channels % ROW_APART == 0 ? channels + GAP : channels;
}

/* Tiles of a block: as many as have `elements` of `channels` each, within bounds. */
static int64_t block_tiles(int64_t elements, int64_t channels, int64_t min, int64_t max) {
    int64_t fit = elements / channels;
    return fit < min ? min : fit > max ? max : fit / F32_DOT_COLUMNS * F32_DOT_COLUMNS;
}

static int64_t panels_of(int64_t channels) {
    return ceil_div(channels, F32_DOT_ROWS);
}

/* ---- Forward and the gradient of inputs ---- */

/* Scratch: float input[PLANES][input_plane], products[panels of a turn][PLANES][product_plane]. */
typedef struct ConvBlock {
    int64_t tiles, row; /* of a block; elements of a tile's channels */
    int64_t input_plane, product_plane;
    int64_t channels; /* of the output, of one turn */
} ConvBlock;

static ConvBlock conv_block(const Tiles *tiles) {
    ConvBlock block = {.row = row_of(tiles->in.c)};
    block.tiles = least(tiles_of(tiles, TILE, TILE),
                        block_tiles(CONV_PLANE, tiles->in.c, CONV_TILES_MIN, CONV_TILES_MAX));
    block.input_plane = block.tiles * block.row + GAP;
    block.product_plane = block.tiles * F32_DOT_ROWS + GAP;
    block.channels = least(tiles->out.c, CONV_CHANNELS);
    return block;
}

static size_t conv_scratch(const Tiles *tiles) {
    ConvBlock block = conv_block(tiles);
    return sizeof(float) * PLANES *
           (size_t)(block.input_plane + panels_of(block.channels) * block.product_plane);
}

static size_t weights_bytes(const Tiles *tiles) {
    return sizeof(float) * PLANES * (size_t)(tiles->in.c * panels_of(tiles->out.c) * F32_DOT_ROWS);
}

static void pack(const Tiles *tiles, const float *weights, bool turned, void *packed) {
    f32_tiles_of_weights(weights, tiles->in.c, tiles->out.c, turned, packed);
}

static void convolve(const Tiles *tiles, const void *x, const void *packed, const Finish *finish,
                     void *y, void *scratch) {
    ConvBlock block = conv_block(tiles);
    float *input = scratch, *products = input + PLANES * block.input_plane;
    const float *weights = packed;
    int64_t count = tiles_of(tiles, TILE, TILE), terms = tiles->in.c;
    for (int64_t first = 0; first < count; first += block.tiles) {
        int64_t n = least(count - first, block.tiles);
        f32_tiles_of_input(tiles, x, first, n, block.row, block.input_plane, input);
        for (int64_t channel = 0; channel < tiles->out.c; channel += block.channels) {
            int64_t channels = least(tiles->out.c - channel, block.channels);
            const float *u = weights + channel * PLANES * terms;
            for (int64_t f = 0; f < PLANES; f++)
                for (int64_t p = 0; p < panels_of(channels); p++)
                    f32_dot(n, terms, u + (p * PLANES + f) * terms * F32_DOT_ROWS,
                            input + f * block.input_plane, block.row, 1, false,
                            products + (p * PLANES + f) * block.product_plane);
            f32_tiles_to_output(tiles, products, first, n, block.product_plane, channel, channels,
                                finish, y);
        }
    }
}

/* ---- The gradient of weights ---- */

/* Scratch: float input[PLANES][input_plane], gradient[panels][PLANES][gradient_plane],
 * sums[panels][input channels][PLANES][F32_DOT_ROWS] in turns of GRAD_CHANNELS, of which one
 * suffices where there is one block. */
typedef struct GradBlock {
    int64_t tiles, count, row; /* of a block; in all; elements of a tile's input channels */
    int64_t input_plane, gradient_plane, panels;
} GradBlock;

static GradBlock grad_block(const Tiles *tiles) {
    GradBlock block = {.count = tiles_of(tiles, TILE, TILE),
                       .row = row_of(tiles->in.c),
                       .panels = panels_of(tiles->out.c)};
    int64_t fit =
        block_tiles(GRAD_PLANE, tiles->in.c + tiles->out.c, GRAD_TILES_MIN, GRAD_TILES_MAX);
    block.tiles = least(block.count, fit);
    block.input_plane = block.tiles * block.row + GAP;
    block.gradient_plane = block.tiles * F32_DOT_ROWS + GAP;
    return block;
}

static int64_t grad_sums(const Tiles *tiles, const GradBlock *block) {
    bool once = block->count <= block->tiles;
    return PLANES * F32_DOT_ROWS * (once ? GRAD_CHANNELS : block->panels * tiles->in.c);
}

static size_t grad_scratch(const Tiles *tiles) {
    GradBlock block = grad_block(tiles);
    return sizeof(float) *
           (size_t)(PLANES * (block.input_plane + block.panels * block.gradient_plane) +
                    grad_sums(tiles, &block));
}

static void grad_weights(const Tiles *tiles, const void *x, const void *dy, float *dw,
                         void *scratch) {
    GradBlock block = grad_block(tiles);
    float *input = scratch, *gradient = input + PLANES * block.input_plane;
    float *all_sums = gradient + block.panels * PLANES * block.gradient_plane;
    bool once = block.count <= block.tiles;
    for (int64_t first = 0; first < block.count; first += block.tiles) {
        int64_t n = least(block.count - first, block.tiles);
        bool last = first + n == block.count;
        float *sums = all_sums;
        f32_tiles_of_input(tiles, x, first, n, block.row, block.input_plane, input);
        f32_tiles_of_gradient(tiles, dy, first, n, block.gradient_plane, gradient);
        for (int64_t p = 0; p < block.panels; p++)
            for (int64_t c = 0; c < tiles->in.c; c += GRAD_CHANNELS) {
                int64_t channels = least(tiles->in.c - c, GRAD_CHANNELS);
                int64_t plane = channels * F32_DOT_ROWS;
                for (int64_t f = 0; f < PLANES; f++)
                    f32_dot(channels, n, gradient + (p * PLANES + f) * block.gradient_plane,
                            input + f * block.input_plane + c, 1, block.row, first > 0,
                            sums + f * plane);
                if (last)
                    f32_tiles_to_weights(tiles, sums, p * F32_DOT_ROWS, c, channels, dw);
                sums += once ? 0 : PLANES * plane;
            }
    }
}

/* ---- Bias and ReLU ---- */

/* The sum of one image's pixels of a vector of channels, masked first. */
VECTOR_IN Vector image_sum(const Map *map, const float *value, float *gradient) {
    Vector sum = _mm256_setzero_ps();
    for (int64_t i = 0; i < map->h * map->w; i++, gradient += map->pixel) {
        Vector dy = _mm256_loadu_ps(gradient);
        if (value) {
            Vector above = _mm256_cmp_ps(_mm256_loadu_ps(value), _mm256_setzero_ps(), _CMP_GT_OQ);
            dy = _mm256_and_ps(dy, above);
            _mm256_storeu_ps(gradient, dy);
            value += map->pixel;
        }
        sum += dy;
    }
    return sum;
}

VECTOR_FN static void mask_and_sum(const Map *map, const void *value, void *gradient, float *sum) {
    for (int64_t c = 0; c < map->c; c += VECTOR) {
        Vector total = _mm256_setzero_ps();
        for (int64_t n = 0; n < map->n; n++) {
            int64_t at = map_at(map, VECTOR, n, c, 0, 0);
            total +=
                image_sum(map, value ? (const float *)value + at : NULL, (float *)gradient + at);
        }
        if (sum)
            _mm256_storeu_ps(sum + c, total);
    }
}

const WinogradPasses f32_winograd = {
    .name = "f32 F(4x4)",
    .vector = VECTOR,
    .weights_bytes = weights_bytes,
    .conv_scratch = conv_scratch,
    .grad_scratch = grad_scratch,
    .pack = pack,
    .convolve = convolve,
    .grad_weights = grad_weights,
    .mask_and_sum = mask_and_sum,
};

#endif
