/* cpu/image_conv: see image_conv.h.
 *
 * Both passes are products of panels of output channels with windows that overlap in memory
 * (bf16_dot_windows), so that nothing is copied once for each tap of the kernel. An image is copied
 * once, with its padding of zeros: pixel by pixel for forward, where a window is what a line of the
 * kernel sees, kernel x channels neighbouring values, and the sum goes through the kernel's lines;
 * channel by channel for the gradient, where a window is what one tap sees, and the sum goes
 * through pairs of neighbouring pixels, strip by strip of the output's lines. A pair behind the end
 * of a line meets a weight, or a gradient, of 0.
 *
 * Sums are fp32, one strip's or one output's in the order of memory, strips in theirs: bits follow
 * from shapes alone. Error against exact arithmetic: outputs are rounded once, gradients below 1e-5
 * in the norm (tests/ops/test_cpu_image_conv.c). */
#include "clones.h"

#if FOR_X86

#include "image_conv.h"

#include <string.h>

#include "bf16_dot.h"
#include "bf16_map.h"
#include "lockstep/bf16.h"

/* Words of a strip of gradients: with the sums that it meets it fits the first cache. */
enum { STRIP_WORDS = 6144, SLACK = 2 * VECTOR };

typedef struct ImageConv {
    Shape in;
    int in_layout; /* LAYOUT_PLAIN or LAYOUT_NHWC */
    Map out;
    int64_t kernel, pad;
    bool has_bias, relu;
    int64_t panel, panels;
    int64_t high, wide; /* of the padded image; one more for a pair's end, and even */
} ImageConv;

static int64_t round_up(int64_t a, int64_t b) {
    return (a + b - 1) / b * b;
}

static ImageConv image_conv_of(const OpDesc *desc) {
    const ConvArgs *args = &desc->layer->args.conv;
    ImageConv conv = {.in = desc->in[0].shape,
                      .in_layout = desc->in[0].layout,
                      .out = map_of(&desc->out, VECTOR),
                      .kernel = args->kernel,
                      .pad = args->pad,
                      .has_bias = args->bias,
                      .relu = desc->relu};
    conv.panel = bf16_dot_panel(conv.out.c);
    conv.panels = (conv.out.c + conv.panel - 1) / conv.panel;
    conv.high = conv.in.h + 2 * conv.pad;
    conv.wide = round_up(conv.in.w + 2 * conv.pad + 1, 2);
    return conv;
}

/* Image n into zeros: element (c, y, x) goes to c channel + (y + pad) line + (x + pad) pixel. */
static void copy_image(const ImageConv *conv, const uint16_t *x, int64_t n, int64_t channel,
                       int64_t line, int64_t pixel, uint16_t *to) {
    Shape in = conv->in;
    bool plain = conv->in_layout == LAYOUT_PLAIN;
    int64_t from_pixel = plain ? 1 : in.c, from_channel = plain ? in.h * in.w : 1;
    x += n * in.c * in.h * in.w;
    to += conv->pad * (line + pixel);
    for (int64_t c = 0; c < in.c; c++)
        for (int64_t y = 0; y < in.h; y++) {
            const uint16_t *from = x + c * from_channel + y * in.w * from_pixel;
            uint16_t *row = to + c * channel + y * line;
            for (int64_t i = 0; i < in.w; i++)
                row[i * pixel] = from[i * from_pixel];
        }
}

/* Numbers of windows behind the last, as bf16_dot_windows wants them. */
static void fill_windows(int64_t *window, int64_t count, int64_t room) {
    for (int64_t i = count; i < room; i++)
        window[i] = window[count - 1];
}

/* ---- Forward ---- */

/* Scratch: float products[pixels][panel], int64_t window[pixels], uint16_t image[image]. */
typedef struct ForwardBlock {
    int64_t pairs;  /* of a window */
    int64_t pixels; /* of a line of outputs, in whole groups */
    int64_t image, line;
} ForwardBlock;

static ForwardBlock forward_block(const ImageConv *conv) {
    ForwardBlock block = {.pairs = (conv->kernel * conv->in.c + 1) / 2,
                          .pixels = round_up(conv->out.w, BF16_DOT_COLUMNS),
                          .line = conv->wide * conv->in.c};
    block.image = conv->high * block.line + SLACK;
    return block;
}

static size_t forward_scratch(const ImageConv *conv) {
    ForwardBlock block = forward_block(conv);
    return (size_t)block.pixels * ((size_t)conv->panel * sizeof(float) + sizeof(int64_t)) +
           (size_t)block.image * sizeof(uint16_t);
}

/* Elements of one panel's weights, in words. */
static int64_t panel_words(const ImageConv *conv) {
    return conv->kernel * forward_block(conv).pairs * conv->panel;
}

static size_t weights_bytes(const ImageConv *conv) {
    return (size_t)(conv->panels * panel_words(conv)) * sizeof(uint32_t);
}

/* u[panel][line of the kernel][pair of (tap, channel)][panel] of weights [out][in][kernel][kernel];
 * zeros where a pair or a panel has no more. */
static void pack_weights(const ImageConv *conv, const float *weights, uint32_t *u) {
    int64_t k = conv->kernel, c = conv->in.c, line = 2 * forward_block(conv).pairs * conv->panel;
    uint16_t *to = (uint16_t *)u;
    memset(u, 0, weights_bytes(conv));
    for (int64_t o = 0; o < conv->out.c; o++)
        for (int64_t i = 0; i < k; i++)
            for (int64_t e = 0; e < k * c; e++) {
                float w = weights[((o * c + e % c) * k + i) * k + e / c];
                int64_t row = o / conv->panel * k + i;
                to[row * line + e / 2 * 2 * conv->panel + o % conv->panel * 2 + e % 2] =
                    bf16_from_float(w);
            }
}

/* A line of outputs, of one panel of channels: bias, ReLU (of a NaN and a number the maximum gives
 * the second), rounding. */
VECTOR_FN static void finish_line(const ImageConv *conv, const float *products, int64_t channel,
                                  const float *bias, int64_t n, int64_t y, uint16_t *to) {
    for (int64_t c = 0; c < conv->panel && channel + c < conv->out.c; c += VECTOR) {
        __mmask16 lanes = vector_lanes(conv->out.c - channel - c);
        __m512 add = _mm512_setzero_ps();
        uint16_t *at = to + map_at(&conv->out, VECTOR, n, channel + c, y, 0);
        if (bias)
            add = _mm512_maskz_loadu_ps(lanes, bias + channel + c);
        for (int64_t x = 0; x < conv->out.w; x++, at += conv->out.pixel) {
            __m512 value = _mm512_loadu_ps(products + x * conv->panel + c) + add;
            if (conv->relu)
                value = _mm512_max_ps(_mm512_setzero_ps(), value);
            vector_store(at, value, lanes);
        }
    }
}

static void convolve(const ImageConv *conv, const uint16_t *x, const uint32_t *weights,
                     const float *bias, uint16_t *to, float *scratch) {
    ForwardBlock block = forward_block(conv);
    float *products = scratch;
    int64_t *window = (int64_t *)(products + block.pixels * conv->panel);
    uint16_t *image = (uint16_t *)(window + block.pixels);
    for (int64_t i = 0; i < conv->out.w; i++)
        window[i] = i * conv->in.c;
    fill_windows(window, conv->out.w, block.pixels);
    memset(image, 0, (size_t)block.image * sizeof *image);
    for (int64_t n = 0; n < conv->in.n; n++) {
        copy_image(conv, x, n, 1, block.line, conv->in.c, image);
        for (int64_t y = 0; y < conv->out.h; y++)
            for (int64_t p = 0; p < conv->panels; p++) {
                bf16_dot_windows(conv->panel, conv->out.w, conv->kernel, block.pairs,
                                 weights + p * panel_words(conv), image + y * block.line, window,
                                 block.line, false, products);
                finish_line(conv, products, p * conv->panel, bias, n, y, to);
            }
    }
}

/* ---- The gradients of weights and bias ---- */

/* Scratch: float sums[panels][columns][panel]; uint32_t strip[lines][pairs][panel]; int64_t
 * window[columns]; uint16_t image[channels, and one of ones, whose tap is the bias][plane]. */
typedef struct GradBlock {
    int64_t taps, columns; /* with the bias; in whole groups */
    int64_t pairs, lines;  /* of a line of outputs; of a strip */
    int64_t plane, image;
} GradBlock;

static GradBlock grad_block(const ImageConv *conv) {
    GradBlock block = {.taps = conv->in.c * conv->kernel * conv->kernel + conv->has_bias,
                       .pairs = (conv->out.w + 1) / 2,
                       .plane = conv->high * conv->wide};
    block.columns = round_up(block.taps, BF16_DOT_COLUMNS);
    block.lines = STRIP_WORDS / (block.pairs * conv->panel);
    if (block.lines < 1)
        block.lines = 1;
    block.image = (conv->in.c + 1) * block.plane + SLACK;
    return block;
}

static size_t grad_scratch(const ImageConv *conv) {
    GradBlock block = grad_block(conv);
    return sizeof(float) * (size_t)(conv->panels * block.columns * conv->panel) +
           sizeof(uint32_t) * (size_t)(block.lines * block.pairs * conv->panel) +
           sizeof(int64_t) * (size_t)block.columns + sizeof(uint16_t) * (size_t)block.image;
}

/* 16 channels of two neighbouring pixels, of the second none at a line's end, as they lie. */
VECTOR_IN __m512i load_pixels(const uint16_t *at, int64_t pixel, bool both, __mmask16 lanes) {
    __m256i first = _mm256_maskz_loadu_epi16(lanes, at);
    __m256i second = _mm256_maskz_loadu_epi16(both ? lanes : 0, at + pixel);
    return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}

/* strip[line][pair][panel] of lines [y, y + lines) of image n; a fused ReLU masks it by the output,
 * `value`. */
VECTOR_FN static void pair_gradients(const ImageConv *conv, const uint16_t *gradient,
                                     const uint16_t *value, int64_t n, int64_t y, int64_t lines,
                                     int64_t channel, uint32_t *strip) {
    static const uint16_t order[2 * VECTOR] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                               21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                               11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i interleaved = _mm512_loadu_si512(order);
    int64_t pairs = (conv->out.w + 1) / 2, pixel = conv->out.pixel;
    for (int64_t c = 0; c < conv->panel; c += VECTOR) {
        __mmask16 lanes = vector_lanes(conv->out.c - channel - c);
        for (int64_t l = 0; l < lines; l++) {
            int64_t at = map_at(&conv->out, VECTOR, n, channel + c, y + l, 0);
            uint32_t *to = strip + l * pairs * conv->panel + c;
            for (int64_t x = 0; x < conv->out.w; x += 2, at += 2 * pixel, to += conv->panel) {
                bool both = x + 1 < conv->out.w;
                __m512i two = load_pixels(gradient + at, pixel, both, lanes);
                if (conv->relu) {
                    __m512i of = load_pixels(value + at, pixel, both, lanes);
                    two = _mm512_maskz_mov_epi16(
                        _mm512_cmpgt_epi16_mask(of, _mm512_setzero_si512()), two);
                }
                _mm512_storeu_si512(to, _mm512_permutexvar_epi16(interleaved, two));
            }
        }
    }
}

/* From sums[panel][tap][panel] to dw[out][tap] and the bias's gradient, the tap behind the others.
 */
static void store_gradients(const ImageConv *conv, const GradBlock *block, const float *sums,
                            float *dw, float *bias) {
    int64_t taps = block->taps - conv->has_bias;
    for (int64_t o = 0; o < conv->out.c; o++) {
        const float *sum = sums + o / conv->panel * block->columns * conv->panel + o % conv->panel;
        for (int64_t t = 0; t < taps; t++)
            dw[o * taps + t] = sum[t * conv->panel];
        if (conv->has_bias)
            bias[o] = sum[taps * conv->panel];
    }
}

/* Where each tap's window begins: weights are [out][in][kernel][kernel]. */
static void find_windows(const ImageConv *conv, const GradBlock *block, int64_t *window) {
    int64_t k = conv->kernel;
    for (int64_t t = 0; t < conv->in.c * k * k; t++)
        window[t] = t / (k * k) * block->plane + t / k % k * conv->wide + t % k;
    if (conv->has_bias)
        window[block->taps - 1] = conv->in.c * block->plane;
    fill_windows(window, block->taps, block->columns);
}

static void sum_gradients(const ImageConv *conv, const uint16_t *x, const uint16_t *gradient,
                          const uint16_t *value, float *dw, float *bias, float *scratch) {
    GradBlock block = grad_block(conv);
    int64_t sums = block.columns * conv->panel;
    uint32_t *strip = (uint32_t *)(scratch + conv->panels * sums);
    int64_t *window = (int64_t *)(strip + block.lines * block.pairs * conv->panel);
    uint16_t *image = (uint16_t *)(window + block.columns);
    uint16_t *ones = image + conv->in.c * block.plane;
    find_windows(conv, &block, window);
    memset(image, 0, (size_t)block.image * sizeof *image);
    for (int64_t i = 0; i < block.plane; i++)
        ones[i] = bf16_from_float(1);
    for (int64_t n = 0; n < conv->in.n; n++) {
        copy_image(conv, x, n, block.plane, conv->wide, 1, image);
        for (int64_t y = 0; y < conv->out.h; y += block.lines) {
            int64_t lines = conv->out.h - y < block.lines ? conv->out.h - y : block.lines;
            for (int64_t p = 0; p < conv->panels; p++) {
                pair_gradients(conv, gradient, value, n, y, lines, p * conv->panel, strip);
                bf16_dot_windows(conv->panel, block.taps, lines, block.pairs, strip,
                                 image + y * conv->wide, window, conv->wide, n > 0 || y > 0,
                                 scratch + p * sums);
            }
        }
    }
    store_gradients(conv, &block, scratch, dw, bias);
}

/* ---- Steps ---- */

static Status pack(const StepCall *call) {
    ImageConv conv = image_conv_of(&call->plan->base.desc);
    pack_weights(&conv, call->at[0], call->at[1]);
    return ST_OK;
}

/* Operands: input, packed weights, output, workspace, bias. */
static Status forward(const StepCall *call) {
    ImageConv conv = image_conv_of(&call->plan->base.desc);
    convolve(&conv, call->at[0], call->at[1], conv.has_bias ? call->at[4] : NULL, call->at[2],
             call->at[3]);
    return ST_OK;
}

/* Operands: input, output's gradient, output, weights' gradient, workspace, bias's gradient. */
static Status backward(const StepCall *call) {
    ImageConv conv = image_conv_of(&call->plan->base.desc);
    sum_gradients(&conv, call->at[0], call->at[1], call->at[2], call->at[3],
                  conv.has_bias ? call->at[5] : NULL, call->at[4]);
    return ST_OK;
}

bool image_conv_takes(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    int layout = desc->in[0].layout;
    return plan_vectors(plan) && args->groups == 1 && desc->grad_in[0] == GRAD_NONE &&
           (layout == LAYOUT_PLAIN || layout == LAYOUT_NHWC) && map_fits(&desc->out, VECTOR) &&
           rule_image_conv_bf16(desc->in[0].shape, desc->out.shape, args->kernel, args->stride);
}

bool image_conv_takes_forward(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    return image_conv_takes(plan) &&
           rule_image_conv_bf16_forward(desc->in[0].shape.c, desc->layer->args.conv.kernel);
}

void image_conv_forward(StepPlan *plan) {
    ImageConv conv = image_conv_of(&plan->base.desc);
    Operand packed = steps_packed(plan, weights_bytes(&conv));
    plan->base.arithmetic = IMAGE_CONV_NAME;
    LOOP_STEP(plan, PASS_PACK, pack, AT_PARAM(WEIGHT), packed);
    Step *step = LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), packed, AT_OUT, AT_WORKSPACE);
    if (conv.has_bias)
        steps_argument(plan, step, (Arg){AT_PARAM(BIAS), 0});
    steps_need_workspace(plan, forward_scratch(&conv));
}

void image_conv_backward(StepPlan *plan) {
    ImageConv conv = image_conv_of(&plan->base.desc);
    Step *step = LOOP_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_GRAD_OUT, AT_OUT,
                           AT_GRAD_PARAM(WEIGHT), AT_WORKSPACE);
    if (conv.has_bias)
        steps_argument(plan, step, (Arg){AT_GRAD_PARAM(BIAS), 0});
    steps_need_workspace(plan, grad_scratch(&conv));
}

#endif
