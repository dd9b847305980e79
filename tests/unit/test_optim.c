/* Learning rates at chosen steps, and the constants of an update. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "lockstep/optim.h"

enum { PER_EPOCH = 100 };

static void assert_lr(const Schedule *schedule, double epoch, double lr) {
    double got = schedule_lr(schedule, NULL, (int64_t)lround(epoch * PER_EPOCH), PER_EPOCH);
    if (fabs(got - lr) > 1e-12 * (1 + fabs(lr)))
        fail_msg("epoch %g: lr %.17g, not %.17g", epoch, got, lr);
}

static void test_constant(void **state) {
    Schedule s = {.kind = SCHEDULE_CONSTANT, .lr = 0.3};
    (void)state;
    assert_lr(&s, 0, 0.3);
    assert_lr(&s, 1000, 0.3);
}

static void test_step(void **state) {
    Schedule s = {.kind = SCHEDULE_STEP, .lr = 1, .gamma = 0.1, .n_points = 2};
    (void)state;
    s.point_at[0] = 30;
    s.point_at[1] = 60.5;
    s.point_value[0] = s.point_value[1] = NAN;
    assert_lr(&s, 0, 1);
    assert_lr(&s, 29.99, 1);
    assert_lr(&s, 30, 0.1);
    assert_lr(&s, 60.49, 0.1);
    assert_lr(&s, 60.5, 0.01);
    assert_lr(&s, 900, 0.01);
}

static void test_piecewise(void **state) {
    Schedule s = {.kind = SCHEDULE_PIECEWISE, .lr = 0.4, .n_points = 3};
    const double epochs[3] = {1, 5, 24}, values[3] = {0.25, 1, 0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        s.point_at[i] = epochs[i];
        s.point_value[i] = values[i];
    }
    assert_lr(&s, 0, 0.1); /* constant before the first point */
    assert_lr(&s, 1, 0.1);
    assert_lr(&s, 3, 0.25);
    assert_lr(&s, 5, 0.4);
    assert_lr(&s, 14.5, 0.2);
    assert_lr(&s, 24, 0);
    assert_lr(&s, 30, 0);
}

static void test_cosine(void **state) {
    Schedule s = {.kind = SCHEDULE_COSINE,
                  .lr = 1,
                  .lr_end = 0.2,
                  .warmup_epochs = 2,
                  .warmup_start = 0.5,
                  .total_epochs = 10};
    (void)state;
    assert_lr(&s, 0, 0.5);
    assert_lr(&s, 1, 0.75);
    assert_lr(&s, 2, 1);
    assert_lr(&s, 4, 0.2 + 0.8 * 0.5 * (1 + sqrt(0.5)));
    assert_lr(&s, 6, 0.6);
    assert_lr(&s, 10, 0.2);
    assert_lr(&s, 12, 0.2);
}

/* The warm-up multiplies whatever curve there is: by 0.25 + 0.75 * epoch / 4. The curves at epochs
 * 0, 2, 3, 5, by hand: constant; halved at epochs 1 and 3; from 1 at epoch 1 to 0.5 at 3; and a
 * cosine, which begins after the warm-up and ends at epoch 10. */
static void test_warmup_of_every_kind(void **state) {
    static const double epochs[4] = {0, 2, 3, 5}, factor[4] = {0.25, 0.625, 0.8125, 1};
    const double curve[4][4] = {
        [SCHEDULE_CONSTANT] = {0.8, 0.8, 0.8, 0.8},
        [SCHEDULE_STEP] = {0.8, 0.4, 0.2, 0.2},
        [SCHEDULE_PIECEWISE] = {0.8, 0.6, 0.4, 0.4},
        [SCHEDULE_COSINE] = {0.8, 0.8, 0.8, 0.4 + 0.2 * sqrt(3)}, /* half of 1 + cos(pi / 6) */
    };
    (void)state;
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_COSINE; kind++) {
        Schedule s = {.kind = (ScheduleKind)kind,
                      .lr = 0.8,
                      .gamma = 0.5,
                      .total_epochs = 10,
                      .warmup_epochs = 4,
                      .warmup_start = 0.25,
                      .n_points = 2,
                      .point_at = {1, 3},
                      .point_value = {1, 0.5}};
        for (int i = 0; i < 4; i++)
            assert_lr(&s, epochs[i], factor[i] * curve[kind][i]);
    }
}

/* One curve in three units: a rise of 3 of 12 epochs, then down, after a warm-up of 1 epoch; and a
 * fall, which must come with its very step. */
static void test_units(void **state) {
    const double unit[3] = {
        [SCHEDULE_EPOCHS] = 1, [SCHEDULE_SHARE] = 1.0 / 12, [SCHEDULE_STEPS] = PER_EPOCH};
    (void)state;
    for (int i = 0; i < 3; i++) {
        Schedule s = {.kind = SCHEDULE_PIECEWISE,
                      .unit = (ScheduleUnit)i,
                      .lr = 2,
                      .gamma = 0.5,
                      .warmup = unit[i],
                      .total_epochs = 12,
                      .n_points = 2,
                      .point_at = {3 * unit[i], 12 * unit[i]},
                      .point_value = {1, 0}};
        assert_lr(&s, 0.25, 0.5);
        assert_lr(&s, 1, 2);
        assert_lr(&s, 3, 2);
        assert_lr(&s, 6, 2 * 6.0 / 9);
        assert_lr(&s, 12, 0);
        assert_true(fabs(schedule_end(&s, PER_EPOCH) - 12) < 1e-12);
        assert_true(fabs(schedule_warmup_end(&s, PER_EPOCH) - 1) < 1e-12);
        assert_true(schedule_stretches(&s) == (i == SCHEDULE_SHARE));
        s.kind = SCHEDULE_STEP;
        assert_lr(&s, 3 - 1.0 / PER_EPOCH, 2);
        assert_lr(&s, 3, 1);
    }
    /* Steps are exact where an epoch has an odd number of them. */
    Schedule s = {.kind = SCHEDULE_STEP, .unit = SCHEDULE_STEPS, .lr = 1, .gamma = 0.5};
    s.n_points = 1;
    for (int64_t per_epoch = 1; per_epoch < 400; per_epoch++) {
        s.point_at[0] = 1000;
        assert_true(schedule_lr(&s, NULL, 999, per_epoch) == 1);
        assert_true(schedule_lr(&s, NULL, 1000, per_epoch) == 0.5);
    }
}

/* T_0 = 2 epochs after a warm-up of one: cycles of 2, 2, 2 ..., or 2, 6, 18 ...; restarts come with
 * their very steps, whatever the lengths are counted in. */
static void test_warm_restarts(void **state) {
    Schedule s = {.kind = SCHEDULE_SGDR,
                  .lr = 1,
                  .lr_end = 0.2,
                  .warmup_epochs = 1,
                  .cycle = 2,
                  .cycle_factor = 1};
    (void)state;
    assert_lr(&s, 0, 0);
    assert_lr(&s, 0.5, 0.5);
    assert_lr(&s, 1, 1);
    assert_lr(&s, 2, 0.6);
    assert_lr(&s, 3, 1);
    assert_lr(&s, 7.5, 0.2 + 0.4 * (1 + sqrt(0.5)));
    s.cycle_factor = 3;
    assert_lr(&s, 3, 1);
    assert_lr(&s, 6, 0.6);
    assert_lr(&s, 7, 0.2 + 0.4 * (1 + cos(3.14159265358979323846 * 4 / 6)));
    assert_lr(&s, 9, 1);
    assert_lr(&s, 18, 0.6);
    assert_lr(&s, 27, 1);
    assert_true(schedule_end(&s, PER_EPOCH) == 3);
    assert_false(schedule_stretches(&s));
    s = (Schedule){.kind = SCHEDULE_SGDR, .lr = 1, .total_epochs = 7, .cycle_factor = 1};
    for (int64_t per_epoch = 1; per_epoch < 400; per_epoch++)
        for (int64_t step = 0; step < 70 * per_epoch; step += per_epoch / 7 + 1) {
            bool restarts = step % per_epoch == 0;
            s.unit = SCHEDULE_STEPS;
            s.cycle = (double)per_epoch;
            assert_true((schedule_lr(&s, NULL, step, per_epoch) == 1) == restarts);
            s.unit = SCHEDULE_SHARE;
            s.cycle = 1.0 / 7;
            assert_true((schedule_lr(&s, NULL, step, per_epoch) > 1 - 1e-9) == restarts);
            s.unit = SCHEDULE_EPOCHS;
            s.cycle = 0.1;
            assert_true((schedule_lr(&s, NULL, step, 10 * per_epoch) > 1 - 1e-9) == restarts);
        }
    s.unit = SCHEDULE_SHARE;
    assert_true(schedule_stretches(&s));
}

static void assert_slots(Optimizer optimizer, const char *first, const char *second,
                         const char *third) {
    const char *names[] = {first, second, third, NULL};
    for (int i = 0; i <= UPDATE_SLOTS; i++) {
        const char *found = optimizer_slot_name(&optimizer, i);
        assert_string_equal(found ? found : "none", names[i] ? names[i] : "none");
    }
}

static void test_slots(void **state) {
    (void)state;
    assert_slots((Optimizer){.kind = OPTIMIZER_SGD}, NULL, NULL, NULL);
    assert_slots((Optimizer){.kind = OPTIMIZER_SGD, .momentum = 0.9}, "momentum", NULL, NULL);
    assert_slots((Optimizer){.kind = OPTIMIZER_ADAM}, "exp_avg", "exp_avg_sq", NULL);
    assert_slots((Optimizer){.kind = OPTIMIZER_ADAMW}, "exp_avg", "exp_avg_sq", NULL);
    assert_slots((Optimizer){.kind = OPTIMIZER_LAMB}, "exp_avg", "exp_avg_sq", NULL);
    assert_slots((Optimizer){.kind = OPTIMIZER_LARS, .momentum = 0.9}, "momentum", NULL, NULL);
    Optimizer rmsprop = {.kind = OPTIMIZER_RMSPROP};
    assert_slots(rmsprop, NULL, "square_avg", NULL);
    rmsprop.momentum = 0.5;
    assert_slots(rmsprop, "momentum", "square_avg", NULL);
    rmsprop.centered = true;
    assert_slots(rmsprop, "momentum", "square_avg", "grad_avg");
    rmsprop.momentum = 0;
    assert_slots(rmsprop, NULL, "square_avg", "grad_avg");
}

static void test_update(void **state) {
    Optimizer o = {.kind = OPTIMIZER_ADAMW,
                   .nesterov = true,
                   .momentum = 0.8,
                   .beta1 = 0.9,
                   .beta2 = 0.99,
                   .eps = 1e-7,
                   .ema_decay = 0.95};
    (void)state;
    Update first = optimizer_update(&o, 0, (Rates){0.1, 0.9}, 0.5);
    assert_int_equal(first.kind, OPTIMIZER_ADAMW);
    assert_true(first.first && first.nesterov);
    assert_true(first.lr == 0.1 && first.grad_scale == 0.5 && first.momentum == 0.8);
    assert_true(first.beta1 == 0.9 && first.beta2 == 0.99 && first.eps == 1e-7);
    assert_true(first.ema_decay == 0.95);
    assert_true(fabs(first.correction1 - 0.1) < 1e-15);
    assert_true(fabs(first.correction2 - 0.01) < 1e-15);
    Update third = optimizer_update(&o, 2, (Rates){0.1, 0.7}, 0.5);
    assert_false(third.first);
    assert_true(fabs(third.correction1 - (1 - 0.7 * 0.7 * 0.7)) < 1e-15);
    assert_true(fabs(third.correction2 - (1 - 0.99 * 0.99 * 0.99)) < 1e-15);
}

static void assert_near(double found, double wanted) {
    if (fabs(found - wanted) > 1e-12)
        fail_msg("%.17g, not %.17g", found, wanted);
}

/* DeepSpeed's OneCycle of the ViT recipe: 1e-4 to 4e-3 over 2000 steps, back over 2000, then
 * constant; beta1 .9 to .8 to .9. */
static void test_one_cycle(void **state) {
    static const int64_t steps[] = {0, 500, 2000, 3000, 4000, 9999};
    static const double part[] = {0, 0.25, 1, 0.5, 0, 0};
    Optimizer adamw = {.kind = OPTIMIZER_ADAMW, .momentum = 0.5, .beta1 = 0.9, .beta2 = 0.99};
    Optimizer sgd = {.kind = OPTIMIZER_SGD, .momentum = 0.95, .beta1 = 0.5};
    Schedule s = {.kind = SCHEDULE_ONE_CYCLE,
                  .unit = SCHEDULE_STEPS,
                  .lr = 4e-3,
                  .lr_start = 1e-4,
                  .lr_end = 1e-4,
                  .momentum_low = 0.8,
                  .n_points = 2,
                  .point_at = {2000, 4000}};
    (void)state;
    for (int i = 0; i < 6; i++) {
        Rates rates = schedule_rates(&s, NULL, &adamw, steps[i], 33);
        assert_near(rates.lr, 1e-4 + part[i] * (4e-3 - 1e-4));
        assert_near(rates.momentum, 0.9 - 0.1 * part[i]);
        assert_near(schedule_rates(&s, NULL, &sgd, steps[i], 33).momentum, 0.95 - 0.15 * part[i]);
        Update update = optimizer_update(&adamw, steps[i], rates, 1);
        assert_true(update.beta1 == rates.momentum && update.beta2 == 0.99);
    }
    /* Three points: up, back, and down to the end, where momentum stays. */
    s.n_points = 3;
    s.point_at[2] = 5000;
    s.lr_end = 0;
    assert_near(schedule_lr(&s, NULL, 4000, 33), 1e-4);
    assert_near(schedule_lr(&s, NULL, 4500, 33), 0.5e-4);
    assert_near(schedule_lr(&s, NULL, 7000, 33), 0);
    assert_near(schedule_rates(&s, NULL, &adamw, 4500, 33).momentum, 0.9);
    s.momentum_low = 0;
    assert_near(schedule_rates(&s, NULL, &adamw, 2000, 33).momentum, 0.9);
    assert_near(schedule_end(&s, 100), 50);
}

static void test_by_epoch(void **state) {
    Schedule s = {.kind = SCHEDULE_COSINE,
                  .by = SCHEDULE_BY_EPOCH,
                  .lr = 1,
                  .total_epochs = 10,
                  .warmup_epochs = 2};
    (void)state;
    assert_lr(&s, 0.99, 0);
    assert_lr(&s, 1, 0.5);
    assert_lr(&s, 1.99, 0.5);
    assert_lr(&s, 6, 0.5);
    assert_lr(&s, 6.99, 0.5);
}

/* By hand; tests/e2e/schedule.sh compares with PyTorch's. */
static void test_plateau(void **state) {
    Schedule s = {.kind = SCHEDULE_PLATEAU,
                  .lr = 1,
                  .lr_end = 0.2,
                  .gamma = 0.5,
                  .patience = 1,
                  .cooldown = 1,
                  .threshold = 0.1,
                  .threshold_mode = THRESHOLD_ABSOLUTE};
    Plateau p = plateau_begin(&s, true);
    (void)state;
    assert_lr(&s, 3, 1);
    assert_false(plateau_add(&p, &s, true, 0.5));
    assert_false(plateau_add(&p, &s, true, 0.6)); /* not by more than the threshold */
    assert_true(plateau_add(&p, &s, true, NAN));
    assert_near(schedule_lr(&s, &p, 7, 3), 0.5);
    assert_false(plateau_add(&p, &s, true, 0)); /* does not count */
    assert_false(plateau_add(&p, &s, true, 0));
    assert_true(plateau_add(&p, &s, true, 0));
    assert_near(p.lr, 0.25);
    for (int i = 0; i < 3; i++)
        assert_int_equal(plateau_add(&p, &s, true, 0), i == 2);
    assert_near(p.lr, 0.2); /* the lowest */
    for (int i = 0; i < 9; i++)
        assert_false(plateau_add(&p, &s, true, 0));
    p = plateau_begin(&s, false);
    s.threshold_mode = THRESHOLD_RELATIVE;
    plateau_add(&p, &s, false, 10);
    plateau_add(&p, &s, false, 8.9); /* better by more than a tenth */
    assert_near(p.best, 8.9);
    plateau_add(&p, &s, false, 8.02);
    assert_near(p.best, 8.9);
}

static void assert_due(const Lookahead *lookahead, int64_t done, double alpha) {
    double found;
    assert_true(lookahead_due(lookahead, done, 476, &found));
    assert_near(found, alpha);
}

/* airbench94: every 5 of 476 steps; 476 = ceil(9.9 48). Its alpha_schedule in numpy. */
static void test_lookahead(void **state) {
    (void)state;
    const Lookahead rising = {.every = 5, .decay = 0.77378093749999999, .power = 3};
    const Lookahead even = {.every = 5, .decay = 0.5}, none = {.decay = 0.5};
    double alpha;
    assert_int_equal(lookahead_length(9.9, 48), 476);
    assert_int_equal(lookahead_length(0.1, 30), 3); /* 3.0000000000000004 */
    assert_int_equal(lookahead_length(10, 48), 480);
    assert_false(lookahead_due(&rising, 4, 476, &alpha));
    assert_false(lookahead_due(&rising, 474, 476, &alpha));
    assert_due(&rising, 5, 0.999999103176084);
    assert_due(&rising, 240, 0.9008184494756875);
    assert_due(&rising, 475, 0.23108559497267034);
    assert_due(&rising, 476, 0);                   /* all of the slow weights, which stay */
    assert_due(&rising, 480, 0.22621906250000001); /* a run that goes on */
    assert_due(&even, 5, 0.5);
    assert_due(&even, 475, 0.5);
    assert_true(lookahead_due(&even, 475, 475, &alpha) && alpha == 0.5);
    assert_false(lookahead_due(&none, 5, 476, &alpha));
    assert_false(lookahead_due(&none, 476, 476, &alpha));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookahead),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_piecewise),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_warmup_of_every_kind),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_warm_restarts),
        cmocka_unit_test(test_one_cycle),
        cmocka_unit_test(test_by_epoch),
        cmocka_unit_test(test_plateau),
    };
    return cmocka_run_group_tests_name("optim", tests, NULL, NULL);
}
