/* --checkpoint-every auto: how long between two checkpoints, and when one is due. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/run/interval.h"
#include "lockstep/log.h"

/* Daly 2006, figures 3 to 5: what the paper itself computes for a checkpoint of 5 minutes. */
static void as_in_the_paper(void **state) {
    static const struct {
        double mtbf_min, optimum_min, off;
    } figures[] = {{24 * 60, 117, 0.5}, {6 * 60, 57, 0.5}, {15, 9.1, 0.05}};
    (void)state;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        assert_float_equal(interval_optimum(5 * 60, figures[i].mtbf_min * 60) / 60,
                           figures[i].optimum_min, figures[i].off);
    assert_float_equal(interval_optimum(100, 50), 50, 0); /* failures all the time */
    assert_float_equal(interval_optimum(300, 50), 50, 0);
}

/* Time lost to checkpoints and to failures, by playing many failures at random on a run of `work`
 * seconds with `between` seconds between two checkpoints. */
static double lost(double cost, double mtbf, double between, uint32_t seed) {
    double work = 2000 * mtbf, done = 0, clock = 0;
    srand(seed);
    double failure = -mtbf * log((rand() + 1.0) / (RAND_MAX + 2.0));
    while (done < work) {
        double end = clock + between + cost;
        if (end < failure) {
            done += between;
            clock = end;
        } else {
            clock = failure;
            failure -= mtbf * log((rand() + 1.0) / (RAND_MAX + 2.0));
        }
    }
    return clock - work;
}

/* Whoever derived it, less is lost there than at half and at twice that. */
static void nothing_is_better(void **state) {
    static const double costs[] = {0.001, 0.01, 0.1, 0.5};
    (void)state;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        double best = interval_optimum(costs[i], 1);
        double here = lost(costs[i], 1, best, 7);
        assert_true(here < lost(costs[i], 1, best / 2, 7));
        assert_true(here < lost(costs[i], 1, best * 2, 7));
    }
}

static void never_more_than_a_hundredth(void **state) {
    (void)state;
    for (double cost = 1e-4; cost < 1e4; cost *= 3) {
        for (double mtbf = 1; mtbf < 1e8; mtbf *= 7) {
            double between = interval_between(cost, 0, mtbf);
            assert_true(cost / (cost + between) <= 0.01 * (1 + 1e-12));
            assert_true(between >= interval_optimum(cost, mtbf));
            assert_true(interval_between(cost, 1e7, mtbf) >= 1e7);
        }
    }
    /* Where failures are rare it is far less: a second, and one a day. */
    assert_float_equal(interval_between(1, 0, 86400), 415, 1);
}

static void when_one_is_due(void **state) {
    Costs costs;
    Interval interval;
    (void)state;
    log_set_level(LOG_WARN);
    costs_begin(&costs, 100000000); /* of 100 MB a second of processor time is assumed */
    assert_float_equal(costs.write_cpu, 1, 1e-9);
    interval_begin(&interval, true, 86400, &costs, 1000);
    assert_false(interval_due(&interval, 1000 + 414, (double)INFINITY));
    assert_true(interval_due(&interval, 1000 + 416, (double)INFINITY));
    /* Not where the next one comes anyhow, or the end. */
    assert_false(interval_due(&interval, 1000 + 416, 200));
    assert_true(interval_due(&interval, 1000 + 416, 215));
    interval_saved(&interval, 1416);
    assert_false(interval_due(&interval, 1416 + 414, (double)INFINITY));
    /* What is measured takes the place of what was assumed. */
    costs_held(&costs, 0.05);
    costs_write(&costs, 3, 0.2);
    interval_learn(&interval, &costs);
    assert_float_equal(interval.seconds, 207.6, 0.5); /* sqrt(2 x 0.25 x 86400) - 0.25 */
    assert_true(interval_due(&interval, 1416 + 209, (double)INFINITY));
    interval_begin(&interval, false, 86400, &costs, 0);
    assert_false(interval_due(&interval, 1e9, (double)INFINITY));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_in_the_paper),
        cmocka_unit_test(nothing_is_better),
        cmocka_unit_test(never_more_than_a_hundredth),
        cmocka_unit_test(when_one_is_due),
    };
    return cmocka_run_group_tests_name("interval", tests, NULL, NULL);
}
