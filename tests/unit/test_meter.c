/* The meter: what was spent goes where it was spent, and the time still to come is that of the pace
 * so far. The clock is set by hand: begin_s is moved into the past. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/run/meter.h"

/* 30 of 100 steps, of which 20 were done by an earlier process: 10 took 40 s, 70 are left. */
static void eta_is_of_this_process(void **state) {
    (void)state;
    Meter meter;
    meter_begin(&meter, 20);
    meter.begin_s -= 40;
    assert_float_equal(meter_eta(&meter, 30, 100), 280, 0.5);
    assert_float_equal(meter_eta(&meter, 100, 100), 0, 0);
    assert_float_equal(meter_wall(&meter), 40, 0.1);
    meter_back(&meter, 4); /* 10 took 40 s still, now of 100 with 74 left */
    assert_float_equal(meter_eta(&meter, 26, 100), 296, 0.5);
}

static void intervals_add_up(void **state) {
    (void)state;
    Meter meter;
    PhaseTimes times = {{[PHASE_FORWARD] = 0.25, [PHASE_OPTIMIZER] = 0.5}};
    meter_begin(&meter, 0);
    assert_true(isnan(spent_rate(&meter.interval)));
    for (int i = 0; i < 3; i++)
        meter_step(&meter, 32, 2, &times);
    meter_checkpoint(&meter, 7);
    assert_float_equal(spent_rate(&meter.interval), 16, 0);
    assert_float_equal(meter.interval.times.seconds[PHASE_FORWARD], 0.75, 0);
    assert_float_equal(meter.interval.times.seconds[PHASE_CHECKPOINT], 7, 0);
    assert_float_equal(meter.total.times.seconds[PHASE_FORWARD], 0, 0);
    meter_next_interval(&meter);
    assert_int_equal(meter.interval.images, 0);
    meter_step(&meter, 64, 1, &times);
    assert_float_equal(spent_rate(&meter.interval), 64, 0);
    meter_next_interval(&meter);
    assert_int_equal(meter.total.images, 160);
    assert_float_equal(meter.total.seconds, 7, 0);
    assert_float_equal(meter.total.times.seconds[PHASE_FORWARD], 1, 0);
    assert_float_equal(meter.total.times.seconds[PHASE_OPTIMIZER], 2, 0);
    assert_float_equal(meter.total.times.seconds[PHASE_CHECKPOINT], 7, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eta_is_of_this_process),
        cmocka_unit_test(intervals_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
