/* The cpu backend's rules of layout and algorithm, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/rule.h"

enum { SHAPES_MAX = 6 };

typedef struct LayoutCase {
    bool wide, along_channels;
    int n;
    Shape shape[SHAPES_MAX];
    int expected[SHAPES_MAX];
} LayoutCase;

static void layouts_of_programs(void **state) {
    (void)state;
    static const LayoutCase cases[] = {
        /* whole blocks: blocked but for the image and what has no map */
        {true,
         false,
         4,
         {{8, 3, 32, 32}, {8, 32, 32, 32}, {8, 64, 1, 1}, {8, 10, 1, 1}},
         {LAYOUT_PLAIN, LAYOUT_BLOCKED16, LAYOUT_PLAIN, LAYOUT_PLAIN}},
        /* one map of 24 channels: NHWC for all, the image too; blocks of 8 hold it */
        {true,
         false,
         3,
         {{8, 3, 32, 32}, {8, 64, 32, 32}, {8, 24, 16, 16}},
         {LAYOUT_NHWC, LAYOUT_NHWC, LAYOUT_NHWC}},
        {false,
         false,
         3,
         {{8, 3, 32, 32}, {8, 64, 32, 32}, {8, 24, 16, 16}},
         {LAYOUT_PLAIN, LAYOUT_BLOCKED8, LAYOUT_BLOCKED8}},
        /* a map of one column is a map */
        {true, false, 2, {{8, 3, 32, 32}, {8, 5, 7, 1}}, {LAYOUT_NHWC, LAYOUT_NHWC}},
        /* an image of whole blocks is blocked like the rest */
        {true, false, 2, {{8, 16, 4, 4}, {8, 16, 4, 4}}, {LAYOUT_BLOCKED16, LAYOUT_BLOCKED16}},
        /* a layer that computes along channels: NHWC for all, though whole blocks */
        {true,
         true,
         4,
         {{8, 3, 32, 32}, {8, 32, 32, 32}, {8, 64, 1, 1}, {8, 10, 1, 1}},
         {LAYOUT_NHWC, LAYOUT_NHWC, LAYOUT_PLAIN, LAYOUT_PLAIN}},
        {false, true, 2, {{8, 16, 4, 4}, {8, 16, 4, 4}}, {LAYOUT_NHWC, LAYOUT_NHWC}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int layout[SHAPES_MAX];
        rule_layouts(cases[i].shape, cases[i].n, cases[i].along_channels, cases[i].wide, layout);
        for (int t = 0; t < cases[i].n; t++)
            if (layout[t] != cases[i].expected[t])
                fail_msg("case %zu: tensor %d has layout %d", i, t, layout[t]);
    }
}

static void groups_in_nhwc_where_blocks_are_slow(void **state) {
    (void)state;
    static const struct {
        int64_t groups, in, out, kernel;
        bool wide, expected;
    } cases[] = {
        {1, 64, 64, 5, true, false},  {32, 32, 32, 3, true, false},  {32, 32, 32, 5, true, true},
        {32, 32, 64, 3, true, true}, /* two outputs a channel */
        {4, 64, 128, 5, true, false}, {4, 128, 64, 3, true, false},  {32, 128, 128, 3, true, true},
        {8, 64, 128, 3, true, true},  {8, 64, 128, 3, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (rule_groups_want_nhwc(cases[i].groups, cases[i].in, cases[i].out, cases[i].kernel,
                                  cases[i].wide) != cases[i].expected)
            fail_msg("case %zu", i);
}

static void places_are_rows_in_nhwc_alone(void **state) {
    (void)state;
    assert_true(rule_places_are_rows(LAYOUT_NHWC, 1, 1, 0, 1, false));
    assert_false(rule_places_are_rows(LAYOUT_BLOCKED8, 1, 1, 0, 1, false));
    assert_false(rule_places_are_rows(LAYOUT_PLAIN, 1, 1, 0, 1, false));
    assert_false(rule_places_are_rows(LAYOUT_NHWC, 3, 1, 0, 1, false));
    assert_false(rule_places_are_rows(LAYOUT_NHWC, 1, 2, 0, 1, false));
    assert_false(rule_places_are_rows(LAYOUT_NHWC, 1, 1, 1, 1, false));
    assert_false(rule_places_are_rows(LAYOUT_NHWC, 1, 1, 0, 2, false));
    assert_false(rule_places_are_rows(LAYOUT_NHWC, 1, 1, 0, 1, true));
}

static void attention_by_heads_of_whole_vectors(void **state) {
    (void)state;
    assert_true(rule_attention_by_heads((Shape){2, 1152, 65, 1}, 6, 8));
    assert_true(rule_attention_by_heads((Shape){2, 144, 1, 1}, 2, 8)); /* 24 values */
    assert_false(rule_attention_by_heads((Shape){2, 144, 1, 1}, 2, 16));
    assert_false(rule_attention_by_heads((Shape){2, 144, 1, 1}, 4, 8)); /* 12 */
}

static void windows_of_our_own(void **state) {
    static const struct {
        int64_t kernel, stride, pad, side;
        bool narrow, wide;
    } cases[] = {
        {2, 2, 0, 8, true, true},    {2, 7, 0, 1, true, true},     {2, 7, 0, 2, true, false},
        {2, 1, 0, 8, true, false},   {2, 2, 1, 8, true, false},    {3, 2, 1, 8, true, false},
        {15, 15, 7, 8, true, false}, {16, 2, 0, 8, false, false},  {3, 16, 0, 8, false, false},
        {15, 64, 0, 1, true, false}, {16, 16, 0, 1, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Shape out = {8, 16, cases[i].side, cases[i].side};
        bool narrow = rule_maxpool(out, cases[i].kernel, cases[i].stride, cases[i].pad, false);
        bool wide = rule_maxpool(out, cases[i].kernel, cases[i].stride, cases[i].pad, true);
        if (narrow != cases[i].narrow || wide != cases[i].wide)
            fail_msg("case %zu", i);
    }
}

static void layouts_of_single_values(void **state) {
    (void)state;
    Tensor flat = {.shape = {4, 32, 1, 1}, .layout = LAYOUT_PLAIN}, odd = flat, map = flat;
    odd.shape.c = 10;
    map.shape.h = 2;
    map.layout = LAYOUT_NHWC;
    assert_int_equal(rule_layout_beside(&flat, LAYOUT_BLOCKED16), LAYOUT_BLOCKED16);
    assert_int_equal(rule_layout_beside(&flat, LAYOUT_NHWC), LAYOUT_NHWC);
    assert_int_equal(rule_layout_beside(&odd, LAYOUT_BLOCKED16), LAYOUT_PLAIN);
    assert_int_equal(rule_layout_beside(&map, LAYOUT_BLOCKED16), LAYOUT_NHWC);
}

typedef struct WinogradCase {
    int64_t batch, in, out, side, kernel, stride, pad;
    bool wide, expected;
} WinogradCase;

static void winograd_where_it_pays(void **state) {
    (void)state;
    static const WinogradCase cases[] = {
        /* the recipes' lanes */
        {64, 64, 128, 32, 3, 1, 1, true, true},
        {64, 256, 512, 8, 3, 1, 1, true, true},
        {64, 512, 512, 4, 3, 1, 1, true, true},
        {32, 32, 64, 32, 3, 1, 1, true, true},
        {32, 128, 128, 8, 3, 1, 1, true, true},
        /* what it cannot do */
        {64, 64, 128, 32, 3, 1, 1, false, false},
        {64, 64, 128, 32, 5, 1, 2, true, false},
        {64, 64, 128, 32, 3, 2, 1, true, false},
        {64, 64, 128, 32, 3, 1, 2, true, false},
        {64, 3, 64, 32, 3, 1, 1, true, false},
        {64, 64, 24, 32, 3, 1, 1, true, false},
        /* where direct was measured to be faster: few channels, tiles mostly empty, many weights
         * for few images */
        {32, 16, 16, 32, 3, 1, 1, true, false},
        {64, 512, 512, 2, 3, 1, 1, true, false},
        {64, 64, 64, 5, 3, 1, 1, true, false},
        {64, 64, 64, 6, 3, 1, 1, true, true},
        {8, 512, 512, 4, 3, 1, 1, true, false},
        {32, 512, 512, 4, 3, 1, 1, true, true},
        {1, 256, 256, 8, 3, 1, 1, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WinogradCase c = cases[i];
        int64_t side = (c.side + 2 * c.pad - c.kernel) / c.stride + 1;
        Shape in = {c.batch, c.in, c.side, c.side}, out = {c.batch, c.out, side, side};
        if (rule_winograd(in, out, c.kernel, c.stride, c.pad, c.wide) != c.expected)
            fail_msg("case %zu: Winograd should %sbe taken", i, c.expected ? "" : "not ");
    }
}

static void judge_own(const WinogradCase *cases, size_t count,
                      bool (*rule)(Shape in, Shape out, int64_t kernel, int64_t stride,
                                   int64_t pad)) {
    for (size_t i = 0; i < count; i++) {
        WinogradCase c = cases[i];
        int64_t side = (c.side + 2 * c.pad - c.kernel) / c.stride + 1;
        Shape in = {c.batch, c.in, c.side, c.side}, out = {c.batch, c.out, side, side};
        if (rule(in, out, c.kernel, c.stride, c.pad) != c.expected)
            fail_msg("case %zu: Winograd should %sbe taken", i, c.expected ? "" : "not ");
    }
}

static void winograd_of_our_own_in_fp32_where_it_pays(void **state) {
    (void)state;
    static const WinogradCase cases[] = {
        /* the recipes' lanes */
        {64, 64, 128, 32, 3, 1, 1, false, true},
        {64, 512, 512, 4, 3, 1, 1, false, true},
        {16, 16, 16, 32, 3, 1, 1, false, true},
        {16, 64, 64, 8, 3, 1, 1, false, true},
        {250, 24, 64, 31, 3, 1, 1, false, true},
        {250, 256, 256, 3, 3, 1, 1, false, true},
        {8, 16, 64, 6, 3, 1, 1, false, true},
        /* where oneDNN has generic loops alone */
        {16, 128, 128, 2, 3, 1, 1, false, true},
        {1, 512, 512, 2, 3, 1, 1, false, true},
        /* what it cannot do */
        {64, 64, 128, 32, 5, 1, 2, false, false},
        {64, 64, 128, 32, 1, 1, 0, false, false},
        {64, 64, 128, 32, 3, 2, 1, false, false},
        {64, 64, 128, 32, 3, 1, 2, false, false},
        {64, 3, 64, 32, 3, 1, 1, false, false},
        {64, 64, 12, 32, 3, 1, 1, false, false},
        /* where direct was measured to be faster: many weights for few images */
        {1, 64, 64, 4, 3, 1, 1, false, false},
        {1, 512, 512, 4, 3, 1, 1, false, false},
        {4, 512, 512, 4, 3, 1, 1, false, true},
    };
    judge_own(cases, sizeof cases / sizeof *cases, rule_winograd_f32);
}

static void winograd_in_bf16_where_it_pays(void **state) {
    (void)state;
    static const WinogradCase cases[] = {
        /* the recipes' lanes */
        {64, 64, 128, 32, 3, 1, 1, true, true},
        {64, 256, 512, 8, 3, 1, 1, true, true},
        {64, 512, 512, 4, 3, 1, 1, true, true},
        {32, 128, 128, 4, 3, 1, 1, true, true},
        {250, 24, 64, 31, 3, 1, 1, true, true},
        {250, 256, 256, 7, 3, 1, 1, true, true},
        {250, 256, 256, 3, 3, 1, 1, true, true},
        {32, 32, 32, 32, 3, 1, 1, true, true},
        {32, 64, 64, 30, 3, 1, 0, true, true},
        /* what it cannot do */
        {64, 64, 128, 32, 5, 1, 2, true, false},
        {64, 64, 128, 32, 1, 1, 0, true, false},
        {64, 64, 128, 32, 3, 2, 1, true, false},
        {64, 64, 128, 32, 3, 1, 2, true, false},
        /* where direct is faster: few channels, tiles mostly empty, many weights for few images */
        {64, 3, 64, 32, 3, 1, 1, true, false},
        {128, 16, 16, 32, 3, 1, 1, true, false},
        {64, 256, 256, 3, 3, 1, 1, true, false},
        {64, 512, 512, 1, 3, 1, 1, true, false},
        {8, 512, 512, 4, 3, 1, 1, true, false},
    };
    judge_own(cases, sizeof cases / sizeof *cases, rule_winograd_bf16);
}

/* Each layout gives each element a place of its own, and neighbours in its innermost dimension
 * neighbouring ones. */
static void indices_are_a_permutation(void **state) {
    (void)state;
    Shape s = {3, 32, 4, 5};
    static char seen[3 * 32 * 4 * 5];
    for (int layout = LAYOUT_PLAIN; layout <= LAYOUT_BLOCKED16; layout++) {
        memset(seen, 0, sizeof seen);
        for (int64_t i = 0; i < shape_count(s); i++) {
            int64_t w = i % s.w, h = i / s.w % s.h, c = i / (s.w * s.h) % s.c, n = i / 640;
            int64_t at = rule_index(layout, s, n, c, h, w);
            assert_in_range(at, 0, sizeof seen - 1);
            assert_int_equal(seen[at]++, 0);
        }
        int64_t step = layout == LAYOUT_PLAIN ? rule_index(layout, s, 1, 7, 2, 4)
                                              : rule_index(layout, s, 1, 8 + 7, 2, 3);
        int64_t before = layout == LAYOUT_PLAIN ? rule_index(layout, s, 1, 7, 2, 3)
                                                : rule_index(layout, s, 1, 8 + 6, 2, 3);
        assert_int_equal(step, before + 1);
    }
    /* channel 17 of the second pixel: the second block, its second element */
    assert_int_equal(rule_index(LAYOUT_BLOCKED16, s, 0, 17, 0, 1), 16 * 20 + 16 + 1);
    assert_int_equal(rule_index(LAYOUT_NHWC, s, 0, 17, 0, 1), 32 + 17);
}

static void which_convolutions_of_images(void **state) {
    (void)state;
    static const struct {
        int64_t in, out, side, kernel, stride;
        bool expected, forward;
    } cases[] = {
        {3, 64, 28, 5, 1, true, true},   /* msu-net */
        {3, 64, 32, 3, 1, true, false},  /* resnet9: lines of 9 values */
        {3, 16, 32, 3, 1, true, false},  /* half a panel */
        {3, 15, 32, 3, 1, false, false}, /* less */
        {4, 64, 32, 3, 1, true, true},   /* lines of 12 values */
        {5, 64, 32, 3, 1, false, true},  /* five channels */
        {3, 64, 16, 5, 2, false, true},  /* strides */
        {3, 64, 32, 9, 1, false, true},  /* weights beyond the first cache */
        {3, 64, 1, 5, 1, false, true},   /* no map */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Shape in = {8, cases[i].in, 32, 32}, out = {8, cases[i].out, cases[i].side, cases[i].side};
        if (rule_image_conv_bf16(in, out, cases[i].kernel, cases[i].stride) != cases[i].expected)
            fail_msg("case %zu should %sbe ours", i, cases[i].expected ? "" : "not ");
        if (rule_image_conv_bf16_forward(cases[i].in, cases[i].kernel) != cases[i].forward)
            fail_msg("case %zu: forward should %sbe ours", i, cases[i].forward ? "" : "not ");
    }
}

static void which_gradients_of_images(void **state) {
    (void)state;
    static const struct {
        int64_t in, out, side, kernel, stride;
        bool expected;
    } cases[] = {
        {3, 64, 28, 5, 1, true},  /* msu-net */
        {1, 8, 28, 7, 1, true},   /* a single vector */
        {3, 64, 32, 3, 1, false}, /* resnet9: oneDNN is as fast */
        {3, 64, 32, 9, 1, false}, /* more windows than the first cache has room for */
        {5, 64, 28, 5, 1, false}, /* five channels */
        {3, 60, 28, 5, 1, false}, /* half a vector */
        {3, 64, 14, 5, 2, false}, /* strides */
        {3, 64, 1, 5, 1, false},  /* no map */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Shape in = {8, cases[i].in, 32, 32}, out = {8, cases[i].out, cases[i].side, cases[i].side};
        if (rule_image_grad_f32(in, out, cases[i].kernel, cases[i].stride) != cases[i].expected)
            fail_msg("case %zu should %sbe ours", i, cases[i].expected ? "" : "not ");
    }
}

static void which_gradients_of_rows(void **state) {
    (void)state;
    assert_true(rule_rows_grad_f32(12480, 384, 512)); /* the vit's */
    assert_true(rule_rows_grad_f32(12480, 512, 256));
    assert_true(rule_rows_grad_f32(4096, 512, 512));
    assert_false(rule_rows_grad_f32(12480, 512, 1152)); /* more sums than the cache holds */
    assert_false(rule_rows_grad_f32(1024, 128, 384));   /* cct2's: few rows */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_of_programs),
        cmocka_unit_test(groups_in_nhwc_where_blocks_are_slow),
        cmocka_unit_test(places_are_rows_in_nhwc_alone),
        cmocka_unit_test(attention_by_heads_of_whole_vectors),
        cmocka_unit_test(windows_of_our_own),
        cmocka_unit_test(layouts_of_single_values),
        cmocka_unit_test(winograd_where_it_pays),
        cmocka_unit_test(winograd_of_our_own_in_fp32_where_it_pays),
        cmocka_unit_test(winograd_in_bf16_where_it_pays),
        cmocka_unit_test(indices_are_a_permutation),
        cmocka_unit_test(which_convolutions_of_images),
        cmocka_unit_test(which_gradients_of_images),
        cmocka_unit_test(which_gradients_of_rows),
    };
    return cmocka_run_group_tests_name("rules of the cpu backend", tests, NULL, NULL);
}
