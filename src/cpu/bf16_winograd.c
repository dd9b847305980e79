/* cpu/bf16_winograd: see bf16_winograd.h. How tiles are made is in bf16_winograd_transform.c, the
 * product of tiles and weights in bf16_dot.c; here is the order in which they are, so that each is
 * found in a cache.
 *
 * Forward, and the gradient of inputs, which is the same with turned weights, take blocks of up to
 * CONV_TILES tiles: all their channels to tiled form, then panel by panel of output channels 24
 * products and the way back. The gradient of weights takes blocks of GRAD_TILES tiles, which are
 * summed over: inputs and output gradients to tiled form, then for each panel of output channels
 * and 16 input channels 24 products, which are added to the sums of earlier blocks and become
 * weights after the last.
 *
 * Bits follow from shapes alone: each sum has one order, scratch is written before it is read, and
 * what lies beyond the edge of a map or the last channel counts as 0. Error against exact
 * arithmetic, relative in the norm: inputs, weights and tiled forms are rounded to 8 bits, tiled
 * forms then grow and cancel. All passes stay below 9e-3 (tests/ops/test_cpu_winograd.c), where
 * direct products in bfloat16 leave 2.4e-3, and 1e-6 in gradients of weights. */
#include "clones.h"

#if FOR_X86

#include "bf16_winograd.h"

#include "bf16_dot.h"
#include "bf16_map.h"
#include "bf16_winograd_transform.h"

/* Tiles of a block, a multiple of BF16_DOT_COLUMNS, and elements of a plane of its tiled input: the
 * planes fit the second cache. Even, and tiles of a gradient's block. */
enum { CONV_TILES = 64, CONV_PLANE = 16384, GRAD_TILES = 512 };

/* Elements, in bytes of one cache line, that planes are further apart than they are long: planes at
 * multiples of a large power of two would share the few places that a cache has for those. */
enum { GAP_HALVES = 32, GAP_WORDS = 16 };

static int64_t round_up(int64_t a, int64_t b) {
    return (a + b - 1) / b * b;
}

/* ---- Forward and the gradient of inputs ---- */

/* Scratch: float products[PLANES][product_plane], uint16_t input[PLANES][input_plane]. */
typedef struct ConvBlock {
    int64_t tiles, channels; /* of a block; of an input tile, in whole vectors */
    int64_t panel;
    int64_t input_plane, product_plane; /* elements */
} ConvBlock;

static ConvBlock conv_block(const Tiles *tiles) {
    ConvBlock block = {.channels = round_up(tiles->in.c, VECTOR),
                       .panel = bf16_dot_panel(tiles->out.c)};
    int64_t fit = CONV_PLANE / block.channels / BF16_DOT_COLUMNS * BF16_DOT_COLUMNS;
    block.tiles = fit > CONV_TILES ? CONV_TILES : fit < BF16_DOT_COLUMNS ? BF16_DOT_COLUMNS : fit;
    block.input_plane = block.tiles * block.channels + GAP_HALVES;
    block.product_plane = block.tiles * block.panel + GAP_WORDS;
    return block;
}

static size_t conv_scratch(const Tiles *tiles) {
    ConvBlock block = conv_block(tiles);
    return PLANES * ((size_t)block.input_plane * sizeof(uint16_t) +
                     (size_t)block.product_plane * sizeof(float));
}

/* Bytes of the weights in tiled form. */
static size_t weights_bytes(const Tiles *tiles) {
    int64_t pairs = (tiles->in.c + 1) / 2;
    int64_t rows = round_up(tiles->out.c, bf16_dot_panel(tiles->out.c));
    return PLANES * sizeof(uint32_t) * (size_t)(pairs * rows);
}

static void pack(const Tiles *tiles, const float *weights, bool turned, void *packed) {
    bf16_tiles_of_weights(weights, tiles->in.c, tiles->out.c, turned, bf16_dot_panel(tiles->out.c),
                          packed);
}

static void convolve(const Tiles *tiles, const void *x, const void *packed, const Finish *finish,
                     void *y, void *scratch) {
    ConvBlock block = conv_block(tiles);
    float *products = scratch;
    uint16_t *input = (uint16_t *)(products + PLANES * block.product_plane);
    int64_t count = bf16_tiles_count(tiles), pairs = (tiles->in.c + 1) / 2;
    for (int64_t first = 0; first < count; first += block.tiles) {
        int64_t n = count - first < block.tiles ? count - first : block.tiles;
        const uint32_t *u = packed;
        bf16_tiles_of_input(tiles, x, first, n, block.input_plane, input);
        for (int64_t channel = 0; channel < tiles->out.c; channel += block.panel) {
            for (int f = 0; f < PLANES; f++, u += pairs * block.panel)
                bf16_dot(block.panel, n, pairs, u, (uint32_t *)(input + f * block.input_plane),
                         block.channels / 2, 1, false, products + f * block.product_plane);
            bf16_tiles_to_output(tiles, products, first, n, block.product_plane, channel,
                                 block.panel, finish, y);
        }
    }
}

/* ---- The gradient of weights ---- */

/* Scratch: float sums[panels][vectors][PLANES][VECTOR][panel], of which one panel and vector
 * suffice where there is one block; uint32_t input[PLANES][input_plane]; uint32_t
 * gradient[panels][PLANES][gradient_plane]. */
typedef struct GradBlock {
    int64_t pairs, count;                /* pairs of tiles of a block, and in all */
    int64_t panel, panels, vectors;      /* output channels of a panel; input channels / 16 */
    int64_t input_plane, gradient_plane; /* pairs */
    int64_t sums;                        /* of one panel and vector */
    bool once;
} GradBlock;

static GradBlock grad_block(const Tiles *tiles) {
    GradBlock block = {.count = (bf16_tiles_count(tiles) + 1) / 2,
                       .panel = bf16_dot_panel(tiles->out.c),
                       .vectors = (tiles->in.c + VECTOR - 1) / VECTOR};
    block.once = block.count <= GRAD_TILES / 2;
    block.pairs = block.once ? block.count : GRAD_TILES / 2;
    block.panels = (tiles->out.c + block.panel - 1) / block.panel;
    block.input_plane = block.vectors * VECTOR * block.pairs + GAP_WORDS;
    block.gradient_plane = block.panel * block.pairs + GAP_WORDS;
    block.sums = PLANES * VECTOR * block.panel;
    return block;
}

static int64_t grad_sums(const GradBlock *block) {
    return block->sums * (block->once ? 1 : block->panels * block->vectors);
}

static size_t grad_scratch(const Tiles *tiles) {
    GradBlock block = grad_block(tiles);
    return sizeof(uint32_t) *
           (size_t)(grad_sums(&block) +
                    PLANES * (block.input_plane + block.panels * block.gradient_plane));
}

static void grad_weights(const Tiles *tiles, const void *x, const void *dy, float *dw,
                         void *scratch) {
    GradBlock block = grad_block(tiles);
    uint32_t *input = (uint32_t *)scratch + grad_sums(&block);
    uint32_t *gradient = input + PLANES * block.input_plane;
    for (int64_t first = 0; first < block.count; first += block.pairs) {
        int64_t n = block.count - first < block.pairs ? block.count - first : block.pairs;
        bool last = first + n == block.count;
        float *sums = scratch;
        bf16_tiles_of_input_pairs(tiles, x, first, n, block.pairs, block.input_plane, input);
        bf16_tiles_of_gradient_pairs(tiles, dy, first, n, block.gradient_plane, block.panel,
                                     gradient);
        for (int64_t p = 0; p < block.panels; p++)
            for (int64_t v = 0; v < block.vectors; v++) {
                const uint32_t *a = gradient + p * PLANES * block.gradient_plane;
                const uint32_t *b = input + v * VECTOR * block.pairs;
                for (int f = 0; f < PLANES; f++)
                    bf16_dot(block.panel, VECTOR, n, a + f * block.gradient_plane,
                             b + f * block.input_plane, 1, VECTOR, first > 0,
                             sums + f * VECTOR * block.panel);
                if (last)
                    bf16_tiles_to_weights(tiles, sums, p * block.panel, v * VECTOR, block.panel,
                                          dw);
                sums += block.once ? 0 : block.sums;
            }
    }
}

static void mask_and_sum(const Map *map, const void *value, void *gradient, float *sum) {
    map_mask_and_sum(map, value, gradient, sum);
}

const WinogradPasses bf16_winograd = {
    .name = "bf16 F(2x4)",
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
