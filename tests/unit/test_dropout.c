/* dropout: which elements are kept, against masks of a program of its own (tests/oracle/draws.py)
 * and against the rule in real numbers, at the words where the two sides of the rate meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lockstep/dropout.h"

static uint64_t first_kept(DropoutKey key) {
    uint64_t keep = 0;
    for (int i = 0; i < 64; i++) {
        RngBlock block = dropout_block(key, i / 4);
        keep |= (uint64_t)(dropout_keeps(key, block.word[i % 4]) != 0) << i;
    }
    return keep;
}

static void masks_are_as_drawn_elsewhere(void **state) {
    static const struct {
        uint64_t seed;
        int64_t step;
        int32_t lane;
        int layer;
        double rate;
        uint64_t keep; /* bit i: element i, of dropout, or with `path` of droppath */
        int path;
    } masks[] = {
        {1, 0, 0, 0, 0.5, UINT64_C(0x209f0f61fd18e99c), 0},
        {1, 0, 0, 0, 0.5, UINT64_C(0x6c2016c8a1cb3b44), 1},
        {9, INT64_C(5000000000), 6, 4, 0.3, UINT64_C(0x3bff8f6ffff1f9bb), 0},
        {9, INT64_C(5000000000), 6, 4, 0.3, UINT64_C(0x9d7cb3eff759fe7f), 1},
        {9, INT64_C(5000000000), 4, 6, 0.3, UINT64_C(0xd2313fcf4fd343a7), 0},
        {UINT64_C(9223372036854775813), 7, 4095, 300, 0.9, UINT64_C(0x000900800082440a), 0},
    };
    (void)state;
    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
        DropoutKey key = (masks[m].path ? droppath_key : dropout_key)(
            masks[m].seed, masks[m].step, masks[m].lane, masks[m].layer, masks[m].rate);
        assert_int_equal(first_kept(key), masks[m].keep);
    }
}

/* Dropped where the top 24 bits as a number in [0, 1) are below the rate. */
static void the_rate_is_met_exactly(void **state) {
    static const double rates[] = {0, 0x1p-30, 0.1, 0.2, 0.25, 1.0 / 3, 0.5, 0.9, 1 - 0x1p-30};
    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        DropoutKey key = dropout_key(1, 0, 0, 0, rates[r]);
        int64_t near = (int64_t)(rates[r] * 0x1p24);
        for (int64_t top = near - 2; top <= near + 2; top++) {
            if (top < 0 || top > 0xffffff)
                continue;
            int keeps = (double)top / 0x1p24 >= rates[r];
            assert_int_equal(dropout_keeps(key, (uint32_t)top << 8) != 0, keeps);
            assert_int_equal(dropout_keeps(key, (uint32_t)top << 8 | 0xff) != 0, keeps);
        }
    }
}

static void what_is_kept_is_scaled_up(void **state) {
    (void)state;
    assert_true(dropout_scale(0) == 1);
    assert_true(dropout_scale(0.5) == 2);
    assert_true(dropout_scale(0.75) == 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_as_drawn_elsewhere),
        cmocka_unit_test(the_rate_is_met_exactly),
        cmocka_unit_test(what_is_kept_is_scaled_up),
    };
    return cmocka_run_group_tests_name("dropout", tests, NULL, NULL);
}
