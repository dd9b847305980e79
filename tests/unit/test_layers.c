/* What each layer kind says of itself: shapes, parameters, initialisation, cost, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "lockstep/layer.h"

static void assert_shape(Shape shape, int64_t c, int64_t h, int64_t w) {
    assert_true(shape.n == 1);
    assert_true(shape.c == c);
    assert_true(shape.h == h);
    assert_true(shape.w == w);
}

static Status infer(Layer *layer) {
    return layer_type(layer->kind)->infer(layer);
}

static void assert_refused(Layer *layer, const char *message) {
    assert_int_equal(infer(layer), ST_USAGE);
    assert_string_equal(status_message(), message);
    status_clear();
}

static void test_table(void **state) {
    static const char *const names[LAYER_KINDS] = {
#define LAYER(lower, UPPER) #lower,
#include "lockstep/layers.def"
    };
    (void)state;
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        const LayerType *type = layer_type((LayerKind)kind);
        assert_string_equal(type->name, names[kind]);
        assert_int_equal(layer_kind_of(names[kind]), kind);
        assert_true(strlen(type->help) > 0);
        assert_in_range(type->min_inputs, 1, type->max_inputs);
        assert_in_range(type->max_inputs, 1, LAYER_INPUTS_MAX);
        const LayerArg *arg;
        for (int i = 0; (arg = layer_arg(type, i)); i++) {
            assert_true(arg->offset < sizeof(Layer));
            assert_true(arg->min <= arg->max);
        }
    }
    assert_int_equal(layer_kind_of("cov"), -1);
    assert_true(layer_type(LAYER_SOFTMAX_CE)->is_loss);
}

static void test_conv(void **state) {
    Layer layer = {.kind = LAYER_CONV, .n_in = 1, .in = {{1, 3, 32, 30}}};
    (void)state;
    layer.init = layer_init_weight.otherwise;
    layer.args.conv = (ConvArgs){.channels = 16, .groups = 1, .kernel = 3, .stride = 2, .pad = 1};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 16, 16, 15);
    assert_int_equal(layer.n_params, 1);
    assert_true(param_count(&layer.param[0]) == 16 * 3 * 3 * 3);
    assert_int_equal(layer.param[0].ndim, 4);
    assert_true(layer.param[0].decay);
    assert_true(layer_multiply_adds(&layer) == 16 * 27 * 16 * 15);

    layer.args.conv.bias = true;
    assert_int_equal(infer(&layer), ST_OK);
    assert_int_equal(layer.n_params, 2);
    assert_string_equal(layer.param[1].role, "bias");
    assert_true(param_count(&layer.param[1]) == 16);
    assert_false(layer.param[1].decay);
    assert_int_equal(layer.param[0].init, INIT_FAN_IN_UNIFORM);
    assert_true(layer.param[0].init_arg == 1);
    assert_int_equal(layer.param[1].init, INIT_UNIFORM);
    assert_true(layer.param[1].init_arg == 1 / sqrt(27));

    layer.args.conv = (ConvArgs){.channels = 16, .groups = 1, .kernel = 33, .stride = 1, .pad = 1};
    assert_refused(&layer, "conv: a kernel of k=33 does not fit its input of 32 x 30: give a "
                           "smaller k or a larger p");
    layer.args.conv = (ConvArgs){.channels = 16, .groups = 1, .kernel = 3, .stride = 1, .pad = 4};
    assert_refused(&layer, "conv: p=4 must not be larger than k=3");
}

static void test_grouped_conv(void **state) {
    Layer layer = {.kind = LAYER_CONV, .n_in = 1, .in = {{1, 12, 8, 8}}};
    (void)state;
    layer.init = layer_init_weight.otherwise;
    layer.args.conv =
        (ConvArgs){.channels = 20, .groups = 4, .kernel = 3, .stride = 1, .pad = 1, .bias = true};
    assert_int_equal(infer(&layer), ST_OK);
    assert_true(layer.param[0].dim[0] == 20 && layer.param[0].dim[1] == 3);
    assert_true(layer.param[1].init_arg == 1 / sqrt(27));
    assert_true(layer_multiply_adds(&layer) == 20 * 27 * 64);
}

static void test_bn(void **state) {
    Layer layer = {.kind = LAYER_BN, .n_in = 1, .in = {{1, 20, 4, 4}}};
    (void)state;
    layer.args.bn.momentum = 0.25;
    layer.args.bn.scale = layer.args.bn.bias = true;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 20, 4, 4);
    assert_int_equal(layer.n_params, 2);
    assert_int_equal(layer.param[0].init, INIT_ONE);
    assert_int_equal(layer.param[1].init, INIT_ZERO);
    assert_false(layer.param[0].decay);
    assert_false(layer.param[1].decay);
    assert_int_equal(layer.n_running, 2);
    assert_string_equal(layer.running[0].role, "running_mean");
    assert_int_equal(layer.running[0].init, INIT_ZERO);
    assert_string_equal(layer.running[1].role, "running_var");
    assert_int_equal(layer.running[1].init, INIT_ONE);
    assert_true(param_count(&layer.running[1]) == 20);
    assert_true(layer.running[0].momentum == 0.25 && layer.running[1].momentum == 0.25);
}

static void test_pools(void **state) {
    (void)state;
    for (int kind = LAYER_MAXPOOL; kind <= LAYER_AVGPOOL; kind++) {
        Layer layer = {.kind = (LayerKind)kind, .n_in = 1, .in = {{1, 8, 7, 9}}};
        layer.args.pool = (PoolArgs){.kernel = 2};
        assert_int_equal(infer(&layer), ST_OK);
        assert_shape(layer.out, 8, 3, 4);
        assert_true(layer.args.pool.stride == 2);

        layer.args.pool = (PoolArgs){.kernel = 3, .stride = 2, .pad = 1};
        assert_int_equal(infer(&layer), ST_OK);
        assert_shape(layer.out, 8, 4, 5);
        assert_int_equal(layer.n_params, 0);

        layer.in[0] = (Shape){1, 8, 4, 4};
        layer.args.pool = (PoolArgs){.global = true};
        assert_int_equal(infer(&layer), ST_OK);
        assert_shape(layer.out, 8, 1, 1);
        assert_true(layer.args.pool.kernel == 4);
    }
}

static void test_pool_refusals(void **state) {
    Layer layer = {.kind = LAYER_MAXPOOL, .n_in = 1, .in = {{1, 8, 7, 9}}};
    (void)state;
    assert_refused(&layer, "maxpool: give k=, the side of the window, or global");
    layer.args.pool = (PoolArgs){.global = true};
    assert_refused(&layer, "maxpool: global wants a square map, the input is 7 x 9");
    layer.args.pool = (PoolArgs){.global = true, .kernel = 2};
    assert_refused(&layer, "maxpool: global takes the whole map: leave k, s and p out");
    layer.args.pool = (PoolArgs){.kernel = 3, .pad = 2};
    assert_refused(&layer, "maxpool: p=2 must be at most half of k=3");
    layer.args.pool = (PoolArgs){.kernel = 8};
    assert_refused(&layer, "maxpool: a window of k=8 does not fit its input of 7 x 9");
}

static void test_linear(void **state) {
    Layer layer = {.kind = LAYER_LINEAR, .n_in = 1, .in = {{1, 16, 5, 5}}};
    (void)state;
    layer.init = layer_init_weight.otherwise;
    layer.args.linear = (LinearArgs){.channels = 120, .bias = true};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 120, 1, 1);
    assert_int_equal(layer.n_params, 2);
    assert_int_equal(layer.param[0].ndim, 2);
    assert_true(layer.param[0].dim[0] == 120 && layer.param[0].dim[1] == 400);
    assert_true(layer.param[1].init_arg == 1 / sqrt(400));
    assert_true(layer_multiply_adds(&layer) == 48000);
    layer.args.linear.bias = false;
    assert_int_equal(infer(&layer), ST_OK);
    assert_int_equal(layer.n_params, 1);
}

static void test_same_shape(void **state) {
    static const LayerKind kinds[] = {LAYER_RELU, LAYER_GELU, LAYER_SCALE, LAYER_DROPOUT,
                                      LAYER_DROPPATH};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        Layer layer = {.kind = kinds[i], .n_in = 1, .in = {{1, 5, 6, 7}}};
        assert_int_equal(infer(&layer), ST_OK);
        assert_shape(layer.out, 5, 6, 7);
        assert_int_equal(layer.n_params + layer.n_running, 0);
        assert_true(layer_multiply_adds(&layer) == 0);
    }
    Layer layer = {.kind = LAYER_DROPOUT, .n_in = 1, .in = {{1, 5, 6, 7}}};
    layer.args.dropout.rate = 1;
    assert_refused(&layer, "dropout: p must be below 1, or nothing would be left");
    layer.kind = LAYER_DROPPATH;
    assert_refused(&layer, "droppath: p must be below 1, or nothing would be left");
}

static void test_add(void **state) {
    Layer layer = {
        .kind = LAYER_ADD, .n_in = 2, .input = {1, 0}, .in = {{1, 5, 6, 7}, {1, 5, 6, 7}}};
    (void)state;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 5, 6, 7);
    layer.in[1].w = 8;
    assert_refused(&layer, "add: cannot add shapes 5 x 6 x 7 and 5 x 6 x 8: both must be the same");
}

static void test_mul(void **state) {
    Layer layer = {.kind = LAYER_MUL, .n_in = 2, .in = {{1, 5, 6, 7}, {1, 5, 6, 7}}};
    (void)state;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 5, 6, 7);
    assert_int_equal(layer_mul_gate(&layer), -1);
    layer.in[1] = (Shape){1, 5, 1, 1};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 5, 6, 7);
    assert_int_equal(layer_mul_gate(&layer), 1);
    layer.in[0] = (Shape){1, 5, 1, 1};
    layer.in[1] = (Shape){1, 5, 6, 1};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 5, 6, 1);
    assert_int_equal(layer_mul_gate(&layer), 0);
    layer.in[0].c = 6;
    assert_refused(&layer, "mul: cannot multiply shapes 6 x 1 x 1 and 5 x 6 x 1: both must be the "
                           "same, or one the other's channels x 1 x 1");
    layer.in[0] = (Shape){1, 5, 6, 2};
    assert_refused(&layer, "mul: cannot multiply shapes 5 x 6 x 2 and 5 x 6 x 1: both must be the "
                           "same, or one the other's channels x 1 x 1");
    layer.in[0] = (Shape){1, 1, 6, 1};
    assert_refused(&layer, "mul: cannot multiply shapes 1 x 6 x 1 and 5 x 6 x 1: both must be the "
                           "same, or one the other's channels x 1 x 1");
}

static void test_concat(void **state) {
    Layer layer = {.kind = LAYER_CONCAT,
                   .n_in = 4,
                   .in = {{1, 5, 6, 7}, {1, 1, 6, 7}, {1, 8, 6, 7}, {1, 2, 6, 7}}};
    (void)state;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 16, 6, 7);
    layer.in[2].w = 6;
    assert_refused(&layer,
                   "concat: cannot join maps of 6 x 7 and 6 x 6: all must have the same sides");
}

static void test_pad_channels(void **state) {
    Layer layer = {.kind = LAYER_PAD_CHANNELS, .n_in = 1, .in = {{1, 16, 6, 7}}};
    (void)state;
    layer.args.pad_channels.channels = 32;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 32, 6, 7);
    layer.args.pad_channels.channels = 16;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 16, 6, 7);
    layer.args.pad_channels.channels = 19;
    assert_refused(&layer, "pad_channels: half of the new channels come before, half behind: from "
                           "16 channels to c=19 their number is odd: give c=20");
    layer.args.pad_channels.channels = 14;
    assert_refused(&layer, "pad_channels: c=14 is less than the 16 channels of its input: 'conv "
                           "c=14 k=1' takes channels away");
}

static void test_slice(void **state) {
    Layer layer = {.kind = LAYER_SLICE, .n_in = 1, .in = {{1, 16, 6, 7}}};
    (void)state;
    layer.args.slice = (SliceArgs){.channels = 10, .first = 6};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 10, 6, 7);
    layer.args.slice.first = 7;
    assert_refused(&layer, "slice: channels 7 to 16, but its input has 16, from 0 to 15");
}

static void test_shuffle(void **state) {
    Layer layer = {.kind = LAYER_SHUFFLE, .n_in = 1, .in = {{1, 18, 6, 7}}};
    (void)state;
    layer.args.shuffle.groups = 6;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 18, 6, 7);
    layer.args.shuffle.groups = 4;
    assert_refused(&layer, "shuffle: groups=4 do not divide the 18 channels of the input");
}

static void test_groupnorm(void **state) {
    Layer layer = {.kind = LAYER_GROUPNORM, .n_in = 1, .in = {{1, 18, 6, 7}}};
    (void)state;
    layer.args.groupnorm = (GroupNormArgs){.groups = 6, .eps = 1e-5};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 18, 6, 7);
    assert_int_equal(layer.n_params, 2);
    assert_int_equal(layer.n_running, 0);
    assert_string_equal(layer.param[0].role, "weight");
    assert_string_equal(layer.param[1].role, "bias");
    assert_int_equal(layer.param[0].init, INIT_ONE);
    assert_int_equal(layer.param[1].init, INIT_ZERO);
    assert_true(param_count(&layer.param[0]) == 18 && param_count(&layer.param[1]) == 18);
    assert_false(layer.param[0].decay || layer.param[1].decay);
    layer.args.groupnorm.groups = 4;
    assert_refused(&layer, "groupnorm: groups=4 do not divide the 18 channels of the input");
}

static void test_softmax_ce(void **state) {
    Layer layer = {.kind = LAYER_SOFTMAX_CE, .n_in = 1, .in = {{1, 10, 1, 1}}};
    (void)state;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 1, 1, 1);
    layer.args.loss.smoothing = 1;
    assert_refused(&layer, "softmax_ce: smoothing must be below 1");
    layer.args.loss.smoothing = 0;
    layer.in[0] = (Shape){1, 10, 2, 1};
    assert_refused(&layer, "softmax_ce: wants one number a class, its input is 10 x 2 x 1: put a "
                           "linear layer before it");
}

/* What makes and counts tokens: shapes by hand. */
static void test_tokens(void **state) {
    (void)state;
    Layer layer = {.kind = LAYER_SHIFT, .n_in = 1, .in = {{1, 3, 32, 32}}};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 15, 32, 32);
    layer = (Layer){.kind = LAYER_PATCHES, .n_in = 1, .in = {layer.out}};
    layer.args.patches.kernel = 4;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 240, 64, 1);
    layer = (Layer){.kind = LAYER_CLASS_TOKEN, .n_in = 1, .in = {{1, 512, 8, 8}}};
    layer.init = layer_init_vector.otherwise;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 512, 65, 1);
    assert_true(layer.n_params == 1 && param_count(&layer.param[0]) == 512);
    assert_true(layer.param[0].init == INIT_NORMAL && layer.param[0].init_arg == 1);
    layer = (Layer){.kind = LAYER_POSITIONS, .n_in = 1, .in = {layer.out}};
    layer.init = layer_init_vector.otherwise;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 512, 65, 1);
    assert_true(layer.n_params == 1 && layer.param[0].ndim == 2);
    assert_true(layer.param[0].dim[0] == 65 && layer.param[0].dim[1] == 512);
    assert_true(layer.param[0].init == INIT_NORMAL && layer.param[0].init_arg == 1);
    layer = (Layer){.kind = LAYER_TOKEN, .n_in = 1, .in = {layer.out}};
    layer.args.token.index = 64;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 512, 1, 1);
    layer = (Layer){.kind = LAYER_SEQPOOL, .n_in = 1, .in = {{1, 128, 8, 8}}};
    layer.init = layer_init_weight.otherwise;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 128, 1, 1);
    assert_true(param_count(&layer.param[0]) == 128 && param_count(&layer.param[1]) == 1);
    assert_true(layer.param[0].init == INIT_FAN_IN_UNIFORM && layer.param[0].init_arg == 1);
    layer = (Layer){.kind = LAYER_LAYERNORM, .n_in = 1, .in = {{1, 12, 5, 7}}};
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 12, 5, 7);
    assert_true(param_count(&layer.param[0]) == 12 && layer.param[0].init == INIT_ONE);
    assert_true(param_count(&layer.param[1]) == 12 && layer.param[1].init == INIT_ZERO);
}

static void test_attention(void **state) {
    (void)state;
    Layer layer = {.kind = LAYER_ATTENTION, .n_in = 1, .in = {{1, 1152, 65, 1}}};
    layer.args.attention.heads = 6;
    assert_int_equal(infer(&layer), ST_OK);
    assert_shape(layer.out, 384, 65, 1);
    assert_int_equal(layer.n_params, 0);
    assert_true(layer_multiply_adds(&layer) == 2 * 6 * 65 * 65 * 64);
    layer.args.attention.temperature = true;
    assert_int_equal(infer(&layer), ST_OK);
    assert_int_equal(layer.n_params, 1);
    assert_true(param_count(&layer.param[0]) == 1 && layer.param[0].init == INIT_CONSTANT);
    assert_true(fabs(exp(layer.param[0].init_arg) - 0.125) < 1e-15); /* 1 / sqrt(64) */
    layer.args.attention.heads = 5;
    assert_refused(&layer, "attention: its input's 1152 channels are not 3 x 5 heads of equal size "
                           "(queries, keys, values): give the layer before it a multiple of 15 "
                           "channels");
    layer.in[0] = (Shape){1, 15, 1, 1};
    layer.args.attention.mask_diagonal = true;
    assert_refused(&layer, "attention: with mask_diagonal a token does not see itself, and there "
                           "is no other: leave mask_diagonal out");
}

static void test_token_refusals(void **state) {
    (void)state;
    Layer layer = {.kind = LAYER_PATCHES, .n_in = 1, .in = {{1, 15, 32, 30}}};
    layer.args.patches.kernel = 4;
    assert_refused(&layer, "patches: k=4 does not divide its input of 32 x 30: give a k that "
                           "divides both sides");
    layer.in[0] = (Shape){1, 5000, 32, 32};
    assert_refused(&layer, "patches: 4 x 4 x 5000 values a token are more than 65536: give a "
                           "smaller k");
    layer = (Layer){.kind = LAYER_SHIFT, .n_in = 1, .in = {{1, 20000, 2, 2}}};
    assert_refused(&layer, "shift: five times 20000 channels are more than 65536: put it before "
                           "the layers that widen the map");
    layer = (Layer){.kind = LAYER_TOKEN, .n_in = 1, .in = {{1, 8, 65, 1}}};
    layer.args.token.index = 65;
    assert_refused(&layer, "token: index=65 is behind the last of its input's 65 tokens, which "
                           "are counted from 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_grouped_conv),
        cmocka_unit_test(test_bn),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_pool_refusals),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_same_shape),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_mul),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_pad_channels),
        cmocka_unit_test(test_slice),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_groupnorm),
        cmocka_unit_test(test_softmax_ce),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_token_refusals),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
