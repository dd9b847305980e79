/* --max-time: when a run must stop so that a checkpoint, and the evaluations that are due, fit in.
 * A run is played on an invented clock whose steps, evaluations and checkpoints take so long as
 * they are said to. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/run/time_limit.h"

typedef struct Play {
    double step, evaluation, write; /* seconds */
    int64_t steps_per_epoch, eval_every, end_step;
    double set_up, limit;
} Play;

/* Returns when the process has left; *steps: how many it came to, *finished: it was all. */
static double play(const Play *p, RunState *state, bool *finished) {
    TimeLimit limit = {.end = p->limit,
                       .end_step = p->end_step,
                       .steps_per_epoch = p->steps_per_epoch,
                       .eval_every = p->eval_every,
                       .evaluation_steps = p->evaluation / p->step,
                       .end_evaluations = 3};
    Costs costs;
    double now = p->set_up;
    bool stops = false;
    costs_begin(&costs, 0);
    while (!stops && state->step < p->end_step) {
        stops = time_limit_asks(&limit, &costs, state, now);
        now += p->step;
        costs_step(&costs, p->step);
        state->step++;
        if (++state->position == p->steps_per_epoch) {
            state->position = 0;
            if (++state->epoch % p->eval_every == 0) {
                now += p->evaluation;
                costs_evaluation(&costs, p->evaluation);
            }
        }
    }
    *finished = state->step == p->end_step;
    if (*finished)
        now += 3 * p->evaluation;
    return now + p->write;
}

static void it_leaves_in_time(void **state) {
    static const Play plays[] = {
        {0.1, 0.5, 0.3, 20, 1, 1000000, 2, 60},   /* short steps */
        {5, 40, 0.5, 12, 1, 1000000, 10, 600},    /* evaluations are long */
        {5, 40, 0.5, 12, 3, 1000000, 10, 601},    /* and rare */
        {5, 40, 0.5, 12, 1, 121, 10, 1200},       /* the run's end is near, with its evaluation */
        {0.01, 30, 0.2, 100, 1, 1000000, 1, 100}, /* most of the time is evaluation */
    };
    (void)state;
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        for (double later = 0; later < 100; later += 0.7) {
            Play p = plays[i];
            RunState at = {0};
            bool finished;
            p.limit += later;
            double left = play(&p, &at, &finished);
            if (left > p.limit)
                fail_msg("play %zu, limit %g: it left at %g, after step %d", i, p.limit, left,
                         (int)at.step);
            /* Nor is much given away: another step and its evaluation would not fit. */
            double longest = 2 * p.step + 3 * p.evaluation;
            if (!finished && left + 1.25 * longest + 2 * p.write + 6 < p.limit)
                fail_msg("play %zu, limit %g: it left as early as %g", i, p.limit, left);
        }
    }
}

/* Started again and again, even a limit that nothing fits into lets a run come to its end. */
static void a_step_each_time(void **state) {
    Play p = {1, 5, 1, 4, 1, 9, 30, 10};
    RunState at = {0};
    bool finished = false;
    (void)state;
    for (int start = 1; start <= 9; start++) {
        play(&p, &at, &finished);
        assert_true(at.step == start);
    }
    assert_true(finished);
}

static void no_limit(void **state) {
    Play p = {1, 5, 1, 4, 1, 100, 30, (double)INFINITY};
    RunState at = {0};
    bool finished;
    (void)state;
    play(&p, &at, &finished);
    assert_true(finished);
}

/* One hiccup does not end a run early for ever, and is not forgotten at once. */
static void hiccups_fade(void **state) {
    Costs costs;
    (void)state;
    costs_begin(&costs, 50000000);
    assert_float_equal(costs.write, 6, 1e-9); /* assumed: a second, and 10 MB/s */
    costs_step(&costs, 0.1);
    costs_step(&costs, 20);
    for (int i = 0; i < 10; i++)
        costs_step(&costs, 0.1);
    assert_true(costs.step > 15);
    for (int i = 0; i < 1000; i++)
        costs_step(&costs, 0.1);
    assert_true(costs.step < 0.2);
    costs_write(&costs, 0.2, 0.1);
    assert_float_equal(costs.write, 0.2, 0); /* the first one that is measured counts alone */
    costs_write(&costs, 9, 0.1);
    costs_write(&costs, 0.2, 0.1);
    assert_true(costs.write > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_leaves_in_time),
        cmocka_unit_test(a_step_each_time),
        cmocka_unit_test(no_limit),
        cmocka_unit_test(hiccups_fade),
    };
    return cmocka_run_group_tests_name("time_limit", tests, NULL, NULL);
}
