/* Strict numbers and the nearest name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lockstep/parse.h"

static void test_whole_numbers(void **state) {
    int64_t value = 7;
    (void)state;
    assert_int_equal(parse_int("-9223372036854775808", &value), PARSE_OK);
    assert_true(value == INT64_MIN);
    assert_int_equal(parse_int("+12", &value), PARSE_OK);
    assert_true(value == 12);
    assert_int_equal(parse_int("9223372036854775808", &value), PARSE_RANGE);
    static const char *const bad[] = {"", "-", "5x", " 5", "5 ", "0x10", "1e3", "1.0", "--1", "5K"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse_int(bad[i], &value), PARSE_SYNTAX);
    assert_true(value == 12);
}

static void test_unsigned_numbers(void **state) {
    uint64_t value = 7;
    (void)state;
    assert_int_equal(parse_uint("18446744073709551615", &value), PARSE_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(parse_uint("18446744073709551616", &value), PARSE_RANGE);
    assert_int_equal(parse_uint("-1", &value), PARSE_SYNTAX);
    assert_int_equal(parse_uint("+1", &value), PARSE_SYNTAX);
}

static void test_reals(void **state) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0.1", 0.1},   {"-1", -1},      {"+.5", 0.5}, {"5.", 5},
                {"1e-3", 1e-3}, {"2.5E+2", 250}, {"0", 0},     {"1e-400", 0}};
    static const char *const bad[] = {"",    ".",   "-",  "e5", "1e",    "1e+",   "0x1p3", "inf",
                                      "nan", "1,5", "1 ", " 1", "1.2.3", "1e5.0", "1f"};
    double value = 0;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(parse_real(good[i].text, &value), PARSE_OK);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse_real(bad[i], &value), PARSE_SYNTAX);
    assert_int_equal(parse_real("1e999", &value), PARSE_RANGE);
    assert_int_equal(parse_real("-1e999", &value), PARSE_RANGE);
}

static void test_nearest_name(void **state) {
    static const char *const names[] = {"conv", "maxpool", "avgpool", "batch-size",
                                        "k",    "by",      NULL};
    static const char *const none[] = {NULL};
    (void)state;
    assert_string_equal(nearest_name("cnov", names), "conv"); /* two letters swapped */
    assert_string_equal(nearest_name("yb", names), "by");
    assert_string_equal(nearest_name("con", names), "conv");        /* one lacks */
    assert_string_equal(nearest_name("convv", names), "conv");      /* one too many */
    assert_string_equal(nearest_name("MaxPool", names), "maxpool"); /* case */
    assert_string_equal(nearest_name("bach_size", names), "batch-size");
    assert_string_equal(nearest_name("kk", names), "k");
    assert_null(nearest_name("linear", names));
    assert_null(nearest_name("", names));
    assert_null(nearest_name("conv", none));
    char longer[200];
    for (size_t i = 0; i < sizeof longer - 1; i++)
        longer[i] = 'a';
    longer[sizeof longer - 1] = '\0';
    assert_null(nearest_name(longer, names));
}

static void test_name_order(void **state) {
    (void)state;
    static const char *const names[] = {
        "",           "a",          "a=-1",    "a=-.5_b=1", "a=0.02",    "a=0.1_b=2",  "a=0.1_b=9",
        "a=0.1_b=10", "a=1e-1x",    "a=.25",   "a=0.5",     "a=5",       "a=x",        "run",
        "run.2",      "run.2/last", "run.010", "run.10",    "run.010.5", "run.010.25", "run2"};
    int n = sizeof names / sizeof *names;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            int order = name_order(names[i], names[j]);
            if ((order > 0) - (order < 0) != (i > j) - (i < j))
                fail_msg("%s and %s: %d", names[i], names[j], order);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_numbers), cmocka_unit_test(test_unsigned_numbers),
        cmocka_unit_test(test_reals),         cmocka_unit_test(test_nearest_name),
        cmocka_unit_test(test_name_order),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
