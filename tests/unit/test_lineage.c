/* Which states a branch of a run holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/lineage.h"

#define A "00000000000000aa"
#define B "00000000000000bb"
#define C "00000000000000cc"

static void holds_its_own_and_what_led_to_it(void **state) {
    (void)state;
    static const struct {
        const char *lineage, *of;
        int64_t step;
        bool held;
    } cases[] = {{A "@0", A "@0", 99, true},
                 {A "@0 " B "@12", A "@0", 12, true},
                 {A "@0 " B "@12", A "@0", 13, false},
                 {A "@0 " B "@12", A "@0 " B "@12", 13, true},
                 {A "@0 " B "@12", A "@0 " C "@12", 13, false},
                 {A "@0 " B "@12 " C "@20", A "@0 " B "@12", 20, true},
                 {A "@0 " B "@12 " C "@20", A "@0 " B "@12", 21, false},
                 {A "@0 " B "@12 " C "@20", A "@0", 16, false},
                 {A "@0", A "@0 " B "@12", 13, false},
                 {A "@0", A "@0 " B "@12", 12, false},
                 {A "@1", A "@12", 1, false},
                 {A "@12", A "@1", 1, false},
                 {B "@0", A "@0", 0, false},
                 {A "@20", "", 20, true}, /* files without a lineage led to it */
                 {A "@20", "", 21, false},
                 {"", "", 21, true},
                 {"", A "@0", 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (lineage_holds(cases[i].lineage, cases[i].of, cases[i].step) != cases[i].held)
            fail_msg("case %zu", i);
}

static void branches_have_ids_of_their_own(void **state) {
    (void)state;
    char *a, *b, *c;
    assert_int_equal(lineage_branch("", 0, &a), ST_OK);
    assert_int_equal(lineage_branch(a, 12, &b), ST_OK);
    assert_int_equal(lineage_branch(a, 12, &c), ST_OK);
    assert_string_not_equal(b, c);
    assert_int_equal(strlen(b), 2 * 16 + strlen("@0 @12"));
    assert_int_equal(lineage_begin(a), 0);
    assert_int_equal(lineage_begin(b), 12);
    assert_true(lineage_holds(b, a, 12) && !lineage_holds(b, a, 13) && !lineage_holds(b, c, 13));
    char id[LINEAGE_ID_BYTES];
    lineage_id("", id);
    assert_string_equal(id, "0000000000000000");
    lineage_id(A "@0", id);
    assert_string_equal(id, A);
    lineage_id(A "@0 " B "@12", id);
    assert_string_equal(id, B);
    assert_true(lineage_is_valid("") && lineage_is_valid(a) && lineage_is_valid(b));
    free(a);
    free(b);
    free(c);
    static const char *const bad[] = {" ",
                                      A,
                                      A "@",
                                      A "@x",
                                      A "@0 ",
                                      A "@3 " B "@2",
                                      "xyz@0",
                                      A "@-1",
                                      A "@0  " B "@1",
                                      A "@0," B "@1",
                                      "aa@0",
                                      "@0",
                                      A "0@0",
                                      A "@99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (lineage_is_valid(bad[i]))
            fail_msg("'%s' is valid", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(holds_its_own_and_what_led_to_it),
                                       cmocka_unit_test(branches_have_ids_of_their_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
