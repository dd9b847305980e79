/* Rows of activations in bfloat16: how they are rounded, whole vectors and what is left of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/rows.h"

/* The bits are those of torch.tensor(...).bfloat16(), but NaNs, of which it keeps one. */
static const struct {
    uint32_t value, kept;
} cases[] = {
    {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x3f807fff, 0x3f80},
    {0x7f7fffff, 0x7f80}, {0x00008000, 0x0000}, {0x00018000, 0x0002}, {0xbf808000, 0xbf80},
    {0xbf818000, 0xbf82}, {0x00000001, 0x0000}, {0x80000000, 0x8000}, {0x7f800000, 0x7f80},
    {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xffffffff, 0xffff}, {0x7fc00000, 0x7fc0}};
enum { CASES = sizeof cases / sizeof *cases, LONGEST = 2 * CASES + 7, PAST = 0x5a5a };

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_rounds_to_nearest_even(void **state) {
    (void)state;
    for (int64_t n = 1; n <= LONGEST; n++) {
        float value[LONGEST], room[LONGEST];
        uint16_t row[LONGEST + 1];
        for (int64_t i = 0; i < n; i++)
            value[i] = float_of(cases[i % CASES].value);
        row[n] = PAST;
        row_close(DT_BF16, row, n, value);
        assert_int_equal(row[n], PAST);
        assert_ptr_equal(row_read(DT_BF16, row, n, room), room);
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(row[i], cases[i % CASES].kept);
            assert_int_equal(bits_of(room[i]), cases[i % CASES].kept << 16);
        }
    }
}

/* A sum in a row's floats is rounded once, at its end. */
static void test_opens_what_it_closes(void **state) {
    (void)state;
    uint16_t row[2] = {0x3f80, 0x4000}; /* 1, 2 */
    float room[2] = {0};
    float *open = row_open(DT_BF16, row, 2, true, room);
    open[0] += 0x1p-9f;
    open[0] += 0x1p-9f;
    open[0] += 0x1p-9f;
    row_close(DT_BF16, row, 2, open);
    assert_int_equal(row[0], 0x3f81);
    assert_int_equal(row[1], 0x4000);
}

static void test_leaves_floats_in_place(void **state) {
    (void)state;
    float row[3] = {1, 2, 3}, own[3] = {4, 5, 6};
    assert_ptr_equal(row_read(DT_F32, row, 3, NULL), row);
    assert_ptr_equal(row_open(DT_F32, row, 3, true, NULL), row);
    row_close(DT_F32, row, 3, row);
    assert_true(row[0] == 1 && row[2] == 3);
    row_close(DT_F32, row, 3, own);
    assert_true(row[0] == 4 && row[2] == 6);
    assert_ptr_equal(row_at(DT_BF16, row, 3), (char *)row + 6);
    assert_int_equal(row_piece(ROW_PIECE + 1, 0), ROW_PIECE);
    assert_int_equal(row_piece(ROW_PIECE + 1, ROW_PIECE), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rounds_to_nearest_even),
                                       cmocka_unit_test(test_opens_what_it_closes),
                                       cmocka_unit_test(test_leaves_floats_in_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
