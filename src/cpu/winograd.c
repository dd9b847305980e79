/* cpu/winograd: see winograd.h. How tiles are made is in winograd_transform.c, the product of tiles
 * and weights in bf16_dot.c; here is the order in which they are, so that each is found in a cache.
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

#include "winograd.h"

#include "bf16_dot.h"
#include "winograd_transform.h"

/* Tiles of a block, a multiple of BF16_DOT_COLUMNS, and elements of a plane of its tiled input: the
 * planes fit the second cache. Even, and tiles of a gradient's block. */
enum { CONV_TILES = 64, CONV_PLANE = 16384, GRAD_TILES = 512 };

/* Elements, in bytes of one cache line, that planes are further apart than they are long: planes at
 * multiples of a large power of two would share the few places that a cache has for those. */
enum { GAP_HALVES = 32, GAP_WORDS = 16 };

static int64_t round_up(int64_t a, int64_t b) {
    return (a + b - 1) / b * b;
}

/* The tiles of the convolution, and those of its transpose: where forward pads by p, output pixels
 * reach the inputs at distance 2 - p before them. */
static Tiles tiles_forward(const OpDesc *desc) {
    return (Tiles){map_of(&desc->in[0]), map_of(&desc->out), desc->layer->args.conv.pad};
}

static Tiles tiles_backward(const OpDesc *desc) {
    return (Tiles){map_of(&desc->out), map_of(&desc->in[0]), 2 - desc->layer->args.conv.pad};
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

static void convolve(const Tiles *tiles, const uint16_t *x, const uint32_t *weights,
                     const Finish *finish, uint16_t *y, float *scratch) {
    ConvBlock block = conv_block(tiles);
    float *products = scratch;
    uint16_t *input = (uint16_t *)(products + PLANES * block.product_plane);
    int64_t count = tiles_count(tiles), pairs = (tiles->in.c + 1) / 2;
    for (int64_t first = 0; first < count; first += block.tiles) {
        int64_t n = count - first < block.tiles ? count - first : block.tiles;
        const uint32_t *u = weights;
        tiles_of_input(tiles, x, first, n, block.input_plane, input);
        for (int64_t channel = 0; channel < tiles->out.c; channel += block.panel) {
            for (int f = 0; f < PLANES; f++, u += pairs * block.panel)
                bf16_dot(block.panel, n, pairs, u, (uint32_t *)(input + f * block.input_plane),
                         block.channels / 2, 1, false, products + f * block.product_plane);
            tiles_to_output(tiles, products, first, n, block.product_plane, channel, block.panel,
                            finish, y);
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
    GradBlock block = {.count = (tiles_count(tiles) + 1) / 2,
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

static void grad_weights(const Tiles *tiles, const uint16_t *x, const uint16_t *dy, float *dw,
                         float *scratch) {
    GradBlock block = grad_block(tiles);
    uint32_t *input = (uint32_t *)(scratch + grad_sums(&block));
    uint32_t *gradient = input + PLANES * block.input_plane;
    for (int64_t first = 0; first < block.count; first += block.pairs) {
        int64_t n = block.count - first < block.pairs ? block.count - first : block.pairs;
        bool last = first + n == block.count;
        float *sums = scratch;
        tiles_of_input_pairs(tiles, x, first, n, block.pairs, block.input_plane, input);
        tiles_of_gradient_pairs(tiles, dy, first, n, block.gradient_plane, block.panel, gradient);
        for (int64_t p = 0; p < block.panels; p++)
            for (int64_t v = 0; v < block.vectors; v++) {
                const uint32_t *a = gradient + p * PLANES * block.gradient_plane;
                const uint32_t *b = input + v * VECTOR * block.pairs;
                for (int f = 0; f < PLANES; f++)
                    bf16_dot(block.panel, VECTOR, n, a + f * block.gradient_plane,
                             b + f * block.input_plane, 1, VECTOR, first > 0,
                             sums + f * VECTOR * block.panel);
                if (last)
                    tiles_to_weights(tiles, sums, p * block.panel, v * VECTOR, block.panel, dw);
                sums += block.once ? 0 : block.sums;
            }
    }
}

/* ---- Steps ---- */

static Status pack_forward(const StepCall *call) {
    Tiles tiles = tiles_forward(&call->plan->base.desc);
    tiles_of_weights(call->at[0], tiles.in.c, tiles.out.c, false, bf16_dot_panel(tiles.out.c),
                     call->at[1]);
    return ST_OK;
}

static Status pack_backward(const StepCall *call) {
    Tiles tiles = tiles_backward(&call->plan->base.desc);
    tiles_of_weights(call->at[0], tiles.in.c, tiles.out.c, true, bf16_dot_panel(tiles.out.c),
                     call->at[1]);
    return ST_OK;
}

/* Operands: input, packed weights, bias or nothing, output, workspace. */
static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Tiles tiles = tiles_forward(desc);
    Finish finish = {.relu = desc->relu};
    int at = 2;
    if (desc->layer->args.conv.bias)
        finish.bias = call->at[at++];
    convolve(&tiles, call->at[0], call->at[1], &finish, call->at[at], call->at[at + 1]);
    return ST_OK;
}

static Status backward_input(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Tiles tiles = tiles_backward(desc);
    Finish finish = {.add = desc->grad_in[0] == GRAD_ADD};
    convolve(&tiles, call->at[0], call->at[1], &finish, call->at[2], call->at[3]);
    return ST_OK;
}

static Status backward_weights(const StepCall *call) {
    Tiles tiles = tiles_forward(&call->plan->base.desc);
    grad_weights(&tiles, call->at[0], call->at[1], call->at[2], call->at[3]);
    return ST_OK;
}

/* Before all else of backward. Operands: output, its gradient, the bias's gradient or nothing. */
static Status backward_output(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Map out = map_of(&desc->out);
    map_mask_and_sum(&out, desc->relu ? call->at[0] : NULL, call->at[1],
                     desc->layer->args.conv.bias ? call->at[2] : NULL);
    return ST_OK;
}

bool winograd_takes(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    bool fits = rule_winograd_bf16_fits(args->kernel, args->stride, args->pad);
    bool pays = rule_winograd_bf16(desc->in[0].shape, desc->out.shape, args->kernel, args->stride,
                                   args->pad);
    return plan_vectors(plan) && args->groups == 1 && map_fits(&desc->in[0]) &&
           map_fits(&desc->out) && plan_winograd(plan, fits, pays);
}

static Status backward_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Tiles tiles = tiles_forward(desc), turned = tiles_backward(desc);
    bool bias = desc->layer->args.conv.bias;
    if (bias || desc->relu) {
        Step *step = LOOP_STEP(plan, PASS_BACKWARD, backward_output, AT_OUT, AT_GRAD_OUT);
        if (bias)
            steps_argument(plan, step, (Arg){AT_GRAD_PARAM(BIAS), 0});
    }
    LOOP_STEP(plan, PASS_BACKWARD, backward_weights, AT_IN(0), AT_GRAD_OUT, AT_GRAD_PARAM(WEIGHT),
              AT_WORKSPACE);
    steps_need_workspace(plan, grad_scratch(&tiles));
    if (desc->grad_in[0] == GRAD_NONE)
        return ST_OK;
    Operand packed = steps_packed(plan, weights_bytes(&turned));
    LOOP_STEP(plan, PASS_PACK, pack_backward, AT_PARAM(WEIGHT), packed);
    LOOP_STEP(plan, PASS_BACKWARD, backward_input, AT_GRAD_OUT, packed, AT_GRAD_IN(0),
              AT_WORKSPACE);
    steps_need_workspace(plan, conv_scratch(&turned));
    return ST_OK;
}

Status winograd_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Tiles tiles = tiles_forward(desc);
    Operand packed = steps_packed(plan, weights_bytes(&tiles));
    plan->base.arithmetic = WINOGRAD_NAME;
    plan->base.backward_reads_in = READS_IN(0);
    plan->base.backward_reads_out = desc->relu;
    LOOP_STEP(plan, PASS_PACK, pack_forward, AT_PARAM(WEIGHT), packed);
    if (desc->layer->args.conv.bias)
        LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), packed, AT_PARAM(BIAS), AT_OUT,
                  AT_WORKSPACE);
    else
        LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), packed, AT_OUT, AT_WORKSPACE);
    steps_need_workspace(plan, conv_scratch(&tiles));
    return desc->training ? backward_steps(plan) : ST_OK;
}

#endif
