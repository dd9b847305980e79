/* Selection: of equals the first is the best, and patience counts evaluations since then. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/run/selection.h"

static bool evaluate_at(RunState *run, int64_t step, double accuracy) {
    run->step = step;
    return selection_add(run, MONITOR_ACCURACY, accuracy, 10 * accuracy);
}

static void first_of_equals(void **state) {
    (void)state;
    RunState run = {.best_step = -1};
    assert_true(evaluate_at(&run, 10, 0)); /* any first one, even of no image right */
    assert_true(evaluate_at(&run, 20, 0.5));
    assert_false(evaluate_at(&run, 30, 0.5));
    assert_false(evaluate_at(&run, 40, 0.4));
    assert_int_equal(run.best_step, 20);
    assert_float_equal(run.best_accuracy, 0.5, 0);
    assert_float_equal(run.best_loss, 5, 0);
    assert_true(evaluate_at(&run, 50, 0.6));
    assert_int_equal(run.best_step, 50);
}

static void patience(void **state) {
    (void)state;
    RunState run = {.best_step = -1};
    evaluate_at(&run, 1, 0.5);
    assert_false(selection_gives_up(&run, 1));
    evaluate_at(&run, 2, 0.5);
    assert_true(selection_gives_up(&run, 1));
    assert_false(selection_gives_up(&run, 2));
    assert_false(selection_gives_up(&run, 0)); /* never */
    evaluate_at(&run, 3, 0.1);
    assert_true(selection_gives_up(&run, 2));
    evaluate_at(&run, 4, 0.51);
    assert_false(selection_gives_up(&run, 1));
}

static void by_loss(void **state) {
    (void)state;
    RunState run = {.best_step = -1, .step = 1};
    assert_true(selection_add(&run, MONITOR_LOSS, 0.5, 2));
    run.step = 2;
    assert_true(selection_add(&run, MONITOR_LOSS, 0.4, 1.5)); /* though less is right */
    run.step = 3;
    assert_false(selection_add(&run, MONITOR_LOSS, 0.9, 1.5));
    assert_int_equal(run.best_step, 2);
    assert_float_equal(run.best_accuracy, 0.4, 0);
    assert_int_equal(run.without_better, 1);
}

/* A loss that is NaN is never the best, be it the first or by far the most accurate one. */
static void nan_is_never_best(void **state) {
    (void)state;
    for (Monitor monitor = MONITOR_ACCURACY; monitor <= MONITOR_LOSS; monitor++) {
        RunState run = {.best_step = -1, .step = 1};
        assert_false(selection_add(&run, monitor, 0.9, NAN));
        assert_int_equal(run.best_step, -1);
        assert_false(selection_reaches(&run, 0.5));
        run.step = 2;
        assert_true(selection_add(&run, monitor, 0.1, 2.3));
        run.step = 3;
        assert_false(selection_add(&run, monitor, 0.9, NAN));
        assert_int_equal(run.best_step, 2);
        assert_int_equal(run.without_better, 1);
        assert_true(isnan(run.last_accuracy));
    }
}

/* Steps of the ranking, the best first. */
static void assert_ranked(const RunState *run, const int64_t *step, int64_t n) {
    assert_int_equal(run->best_step, step[0]);
    assert_int_equal(run->runners_up.n, n - 1);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(checkpoint_rank(run, step[i]), i);
}

/* Of equals the earlier is the better, and NaN is none of them. */
static void runners_up(void **state) {
    (void)state;
    static const struct {
        double accuracy, loss;
    } at[] = {{0.5, 2}, {0.7, 1.5}, {0.9, NAN}, {0.7, 1.4}, {0.6, 1.5}, {0.7, 1.4}, {0.8, 3}};
    static const int64_t by_accuracy[] = {7, 2, 4, 6, 5, 1}, by_loss[] = {4, 6, 2, 5, 1, 7};
    for (Monitor monitor = MONITOR_ACCURACY; monitor <= MONITOR_LOSS; monitor++) {
        RunState run = {.best_step = -1};
        for (run.step = 1; run.step <= 7; run.step++)
            selection_add(&run, monitor, at[run.step - 1].accuracy, at[run.step - 1].loss);
        assert_ranked(&run, monitor == MONITOR_LOSS ? by_loss : by_accuracy, 6);
        assert_int_equal(checkpoint_rank(&run, 3), -1);
        assert_int_equal(checkpoint_rank(&run, 8), -1);
    }
    RunState none = {.best_step = -1};
    assert_int_equal(checkpoint_rank(&none, 0), -1);
    assert_int_equal(checkpoint_rank(&none, -1), -1);
}

/* As many as are ranked, and no more: the worst is forgotten, a worse one is not taken. */
static void no_more_runners_up(void **state) {
    (void)state;
    enum { STEPS = 3 * KEEP_BEST_MAX };
    for (int falls = 0; falls <= 1; falls++) {
        RunState run = {.best_step = -1};
        for (int64_t i = 1; i <= STEPS; i++)
            evaluate_at(&run, i, (double)(falls ? STEPS - i : i) / STEPS);
        assert_int_equal(run.runners_up.n, KEEP_BEST_MAX - 1);
        for (int64_t i = 0; i < KEEP_BEST_MAX; i++)
            assert_int_equal(checkpoint_rank(&run, falls ? i + 1 : STEPS - i), i);
        assert_int_equal(checkpoint_rank(&run, falls ? KEEP_BEST_MAX + 1 : STEPS - KEEP_BEST_MAX),
                         -1);
    }
}

static void target(void **state) {
    (void)state;
    RunState run = {.best_step = -1, .last_accuracy = NAN};
    assert_false(selection_reaches(&run, 0.5));
    evaluate_at(&run, 1, 0.5);
    assert_true(selection_reaches(&run, 0.5));
    assert_false(selection_reaches(&run, 0.51));
    assert_false(selection_reaches(&run, 0)); /* none is asked for */
    evaluate_at(&run, 2, 0.4);
    assert_false(selection_reaches(&run, 0.5)); /* the last one decides */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_of_equals), cmocka_unit_test(patience),
        cmocka_unit_test(by_loss),         cmocka_unit_test(nan_is_never_best),
        cmocka_unit_test(runners_up),      cmocka_unit_test(no_more_runners_up),
        cmocka_unit_test(target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
