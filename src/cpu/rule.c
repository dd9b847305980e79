/* cpu/rule: see rule.h. */
#include "rule.h"

static bool is_map(Shape shape) {
    return shape.h * shape.w > 1;
}

static int64_t block_of(int layout) {
    return layout == LAYOUT_BLOCKED16 ? 16 : layout == LAYOUT_BLOCKED8 ? 8 : 1;
}

bool rule_groups_want_nhwc(int64_t groups, int64_t in, int64_t out, int64_t kernel, bool wide) {
    int64_t block = block_of(wide ? LAYOUT_BLOCKED16 : LAYOUT_BLOCKED8);
    if (groups == 1)
        return false;
    if (groups == in && groups == out)
        return kernel > 3;
    return in / groups % block != 0 || out / groups % block != 0;
}

void rule_layouts(const Shape *shapes, int n, bool want_nhwc, bool wide, int *layouts) {
    int layout = want_nhwc ? LAYOUT_NHWC : wide ? LAYOUT_BLOCKED16 : LAYOUT_BLOCKED8;
    for (int i = 1; i < n; i++)
        if (is_map(shapes[i]) && shapes[i].c % block_of(layout) != 0)
            layout = LAYOUT_NHWC;
    for (int i = 0; i < n; i++)
        layouts[i] = is_map(shapes[i]) ? layout : LAYOUT_PLAIN;
    if (shapes[0].c % block_of(layout) != 0)
        layouts[0] = LAYOUT_PLAIN;
}

int rule_layout_beside(const Tensor *tensor, int beside) {
    if (is_map(tensor->shape))
        return tensor->layout;
    return tensor->shape.c % block_of(beside) == 0 ? beside : LAYOUT_PLAIN;
}

bool rule_places_are_rows(int layout, int64_t kernel, int64_t stride, int64_t pad, int64_t groups,
                          bool wide) {
    return layout == LAYOUT_NHWC && kernel == 1 && stride == 1 && pad == 0 && groups == 1 && !wide;
}

bool rule_winograd_fits(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad,
                        bool wide) {
    return wide && kernel == 3 && stride == 1 && pad <= 1 && in.c % 16 == 0 && out.c % 16 == 0;
}

/* What a kind of Winograd's algorithm makes: outputs of a tile, its elements in tiled form, and
 * what a value costs, in multiply-adds, that is moved into or out of that form: of maps, and of
 * weights.
 */
typedef struct Tiling {
    int64_t high, wide;
    double planes, move_tile, move_weight;
} Tiling;

/* Direct convolution takes 9 multiply-adds per output, input channel and output channel. */
static bool pays(const Tiling *tiling, Shape in, Shape out) {
    int64_t down = (out.h + tiling->high - 1) / tiling->high;
    int64_t across = (out.w + tiling->wide - 1) / tiling->wide;
    double tiles = (double)(out.n * down * across), pairs = (double)(in.c * out.c);
    double direct = (double)(out.n * out.h * out.w) * pairs * 9;
    double winograd =
        tiling->planes * (tiles * pairs + tiling->move_tile * tiles * (double)(in.c + out.c) +
                          tiling->move_weight * pairs);
    return winograd < direct;
}

/* Fitted to times of all three passes on one Zen 4 core (channels 16 to 512, maps 2 to 32, batches
 * 1 to 64). `bench/fit_rule` times shapes both ways, and names those for which a rule is wrong. */
bool rule_winograd(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad, bool wide) {
    enum { MOVE_TILE = 25, MOVE_WEIGHT = 35 };
    return rule_winograd_fits(in, out, kernel, stride, pad, wide) &&
           pays(&(Tiling){4, 4, 36, MOVE_TILE, MOVE_WEIGHT}, in, out);
}

bool rule_winograd_f32_fits(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad) {
    return kernel == 3 && stride == 1 && pad <= 1 && in.c % 8 == 0 && out.c % 8 == 0;
}

/* Fitted on Zen 3 cores (channels 8 to 512, maps 3 to 32, batches 1 to 16), where oneDNN without
 * 512-bit registers is slow enough that what is moved hardly counts. For gradients of maps of 2 x 2
 * it has nothing but generic loops: 20 to 200 times as long. */
bool rule_winograd_f32(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad) {
    enum { MOVE_TILE = 1, MOVE_WEIGHT = 8, GENERIC = 3 };
    return rule_winograd_f32_fits(in, out, kernel, stride, pad) &&
           (out.w < GENERIC || pays(&(Tiling){4, 4, 36, MOVE_TILE, MOVE_WEIGHT}, in, out));
}

bool rule_winograd_bf16_fits(int64_t kernel, int64_t stride, int64_t pad) {
    return kernel == 3 && stride == 1 && pad <= 1;
}

/* Of maps of 3 x 3 the tiles are mostly empty. */
bool rule_winograd_bf16(Shape in, Shape out, int64_t kernel, int64_t stride, int64_t pad) {
    enum { MOVE_TILE = 25, MOVE_WEIGHT = 70 };
    return rule_winograd_bf16_fits(kernel, stride, pad) &&
           pays(&(Tiling){2, 4, 24, MOVE_TILE, MOVE_WEIGHT}, in, out);
}

/* A panel of 32 outputs is computed whole, and pays if half of it is wanted. oneDNN's code took
 * about twice as long for 32 and 64 outputs (3 channels, 3 x 3 on 32 x 32 and 5 x 5 on 28 x 28, one
 * Zen 4 core), and for some layouts it has none but generic loops. */
bool rule_image_conv_bf16(Shape in, Shape out, int64_t kernel, int64_t stride) {
    enum { CHANNELS = 4, KERNEL = 7, PANEL = 32 };
    int64_t whole = (out.c + PANEL - 1) / PANEL * PANEL;
    return in.c <= CHANNELS && kernel <= KERNEL && stride == 1 && is_map(out) && 2 * out.c >= whole;
}

/* A line of a window of odd length is filled up to whole pairs: of 9 values it costs a tenth, and
 * forward is then an eighth slower than oneDNN's; of 15, it is a tenth faster. */
bool rule_image_conv_bf16_forward(int64_t channels, int64_t kernel) {
    int64_t line = channels * kernel;
    return 10 * (line + line % 2) < 11 * line;
}

/* Where oneDNN's code takes 1.5 times as long and more: 3 channels to 64, 5 x 5, on 28 x 28. Of 3 x
 * 3 it took 0.7 to 1.5 times as long, with 32 and 64 outputs (Zen 3 cores). */
bool rule_image_grad_f32(Shape in, Shape out, int64_t kernel, int64_t stride) {
    enum { CHANNELS = 4, SMALL = 3, LARGE = 7, VECTOR = 8 };
    return in.c <= CHANNELS && kernel > SMALL && kernel <= LARGE && stride == 1 && is_map(out) &&
           out.c % VECTOR == 0;
}

/* Where the sums are at most what the second cache holds, twice over, and rows enough to pay for
 * the copies: of 12,480 rows oneDNN's code took 1.2 to 1.5 times as long for 256 x 512 and 384 x
 * 512, and as long for 512 x 1152; of 1,024 rows of 128 x 128 as long (Zen 3 cores). */
bool rule_rows_grad_f32(int64_t rows, int64_t in, int64_t out) {
    enum { FEW_ROWS = 4096, SUMS = 1 << 18 };
    return rows >= FEW_ROWS && in * out <= SUMS;
}

bool rule_attention_by_heads(Shape in, int64_t heads, int64_t vector) {
    return in.c / 3 / heads % vector == 0;
}

bool rule_maxpool(Shape out, int64_t kernel, int64_t stride, int64_t pad, bool wide) {
    bool single = !is_map(out);
    if (kernel == 2 && pad == 0 && (stride == 2 || single))
        return true;
    return !wide && kernel <= RULE_MAXPOOL_SIDE && (stride <= RULE_MAXPOOL_SIDE || single);
}

int64_t rule_index(int layout, Shape shape, int64_t n, int64_t c, int64_t h, int64_t w) {
    int64_t at = h * shape.w + w, map = shape.h * shape.w, block = block_of(layout);
    if (layout == LAYOUT_NHWC)
        return (n * map + at) * shape.c + c;
    return ((n * (shape.c / block) + c / block) * map + at) * block + c % block;
}
