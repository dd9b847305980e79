/* --bad-steps: what a bad step leads to, and where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/run/bad_steps.h"
#include "lockstep/log.h"

static BadStepRules rules_of(BadStepPolicy policy) {
    return (BadStepRules){
        .policy = policy, .in_a_row = 2, .skipped = 3, .rollbacks = 2, .lr_factor = 0.25};
}

static void stops(void **state) {
    (void)state;
    BadStepRules rules = rules_of(BAD_STEPS_STOP);
    BadSteps bad = {.lr_factor = 1};
    assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_STOPS);
}

static void skips_so_many_in_a_row(void **state) {
    (void)state;
    BadStepRules rules = rules_of(BAD_STEPS_SKIP);
    BadSteps bad = {.lr_factor = 1};
    for (int64_t i = 0; i < 2; i++) {
        assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_IS_SKIPPED);
        bad_steps_skip(&rules, &bad, i);
    }
    assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_STOPS);
    assert_true(bad.skipped == 2 && bad.in_a_row == 2 && bad.rollbacks == 0 && bad.lr_factor == 1);
}

static void skips_so_many_in_all(void **state) {
    (void)state;
    BadStepRules rules = rules_of(BAD_STEPS_SKIP);
    BadSteps bad = {.lr_factor = 1};
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_IS_SKIPPED);
        bad_steps_skip(&rules, &bad, i);
        bad.in_a_row = 0; /* a good one in between */
    }
    assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_STOPS);
}

/* Roll-backs are the run's, skipped steps those of the state that it is back at. */
static void rolls_back_so_often(void **state) {
    (void)state;
    BadStepRules rules = rules_of(BAD_STEPS_ROLLBACK);
    const BadSteps then = {.skipped = 4, .in_a_row = 1, .lr_factor = 1};
    BadSteps bad = {.skipped = 9, .lr_factor = 0.5};
    assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_ROLLS_BACK);
    bad = bad_steps_back(&rules, &bad, &then);
    assert_true(bad.rollbacks == 1 && bad.lr_factor == 0.125);
    assert_true(bad.skipped == 4 && bad.in_a_row == 1);
    assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_ROLLS_BACK);
    bad = bad_steps_back(&rules, &bad, &then);
    assert_true(bad.rollbacks == 2 && bad.lr_factor == 0.03125);
    assert_int_equal(bad_steps_action(&rules, &bad), BAD_STEP_STOPS);
}

/* A factor of 0 is none that a checkpoint may have. */
static void the_rate_stays_above_0(void **state) {
    (void)state;
    BadStepRules rules = rules_of(BAD_STEPS_ROLLBACK);
    BadSteps bad = {.lr_factor = 1};
    rules.lr_factor = 1e-9;
    for (int64_t i = 1; i <= 40; i++) {
        bad = bad_steps_back(&rules, &bad, &bad);
        assert_true(bad.rollbacks == i && bad.lr_factor > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops), cmocka_unit_test(skips_so_many_in_a_row),
        cmocka_unit_test(skips_so_many_in_all), cmocka_unit_test(rolls_back_so_often),
        cmocka_unit_test(the_rate_stays_above_0)};
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
