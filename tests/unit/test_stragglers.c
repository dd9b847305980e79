/* Stragglers: ranks of one process, which hear of each other what the tail would tell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/run/stragglers.h"
#include "lockstep/log.h"

enum { RANKS_MOST = 8 };

typedef struct Group {
    RunConfig config;
    Session session[RANKS_MOST];
    Stragglers rank[RANKS_MOST];
    int ranks;
} Group;

static Group group;

static void begin(int ranks, int64_t window, double factor) {
    static Comm *comm;
    log_set_level(LOG_ERROR);
    if (!comm)
        assert_int_equal(comm_open_self(10, &comm), ST_OK);
    group.config.straggler_steps = window;
    group.config.straggler_factor = factor;
    group.ranks = ranks;
    for (int r = 0; r < ranks; r++) {
        group.session[r] =
            (Session){.config = &group.config, .ranks = {.comm = comm, .rank = r, .size = ranks}};
        assert_int_equal(stragglers_open(&group.rank[r], &group.session[r]), ST_OK);
    }
}

static void end(void) {
    for (int r = 0; r < group.ranks; r++)
        stragglers_close(&group.rank[r]);
}

/* Steps in which a lane takes lane_s[r] on rank r. What they tell is summed, as the tail does. */
static void steps(int n, const double *lane_s) {
    for (int i = 0; i < n; i++) {
        StepTimes told = {0, 0};
        for (int r = 0; r < group.ranks; r++) {
            StepRequest request = {.tell = {0, 0}};
            stragglers_ask(&group.rank[r], &request);
            told.lane_s += request.tell.lane_s;
            told.waited_s += request.tell.waited_s;
        }
        for (int r = 0; r < group.ranks; r++) {
            StepResult step = {.lane_s = lane_s[r], .told = told};
            step.times.seconds[PHASE_EXPOSED] = 0.25 * r;
            stragglers_step(&group.rank[r], &step);
        }
    }
}

/* On every rank alike. */
static void assert_slow(int slow) {
    for (int r = 0; r < group.ranks; r++) {
        assert_int_equal(group.rank[r].known, group.ranks);
        for (int q = 0; q < group.ranks; q++)
            assert_int_equal(group.rank[r].pace[q].slow, q == slow);
    }
}

static void a_slow_rank_is_found(void **state) {
    (void)state;
    begin(4, 10, 1.3);
    steps(10 + 3, (double[]){1, 1.2, 1.1, 1.29});
    assert_int_equal(group.rank[0].known, 0); /* the last one has not told yet */
    steps(7, (double[]){1, 1.2, 1.1, 1.29});
    assert_slow(-1);
    assert_float_equal(group.rank[2].pace[3].lane_s, 1.29, 1e-12);
    assert_float_equal(group.rank[2].pace[3].waited_s, 0.75, 1e-12);
    steps(20, (double[]){1, 1.2, 1.9, 1.29});
    assert_slow(2);
    steps(30, (double[]){1, 1.2, 1, 1}); /* once named it stays so */
    assert_slow(2);
    end();
}

static void of_two_ranks_the_faster_is_the_measure(void **state) {
    (void)state;
    begin(2, 4, 1.3);
    steps(8, (double[]){1.31, 1});
    assert_slow(0);
    end();
}

/* A step that takes long, however long, is no slow rank. */
static void single_steps_do_not_count(void **state) {
    (void)state;
    begin(3, 10, 1.3);
    for (int i = 0; i < 10; i++) {
        steps(1, (double[]){1, 100, 1});
        steps(4, (double[]){1, 1, 1});
    }
    assert_slow(-1);
    end();
}

static void more_ranks_than_steps_of_a_window(void **state) {
    (void)state;
    begin(8, 3, 2);
    steps(16, (double[]){1, 1, 1, 1, 1, 1, 1, 3});
    assert_slow(7);
    end();
}

static void nothing_is_said_of_one_rank_or_with_factor_0(void **state) {
    (void)state;
    begin(1, 3, 1.3);
    steps(20, (double[]){1});
    assert_int_equal(group.rank[0].known, 0);
    end();
    begin(2, 3, 0);
    steps(20, (double[]){1, 9});
    assert_slow(-1);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_rank_is_found),
        cmocka_unit_test(of_two_ranks_the_faster_is_the_measure),
        cmocka_unit_test(single_steps_do_not_count),
        cmocka_unit_test(more_ranks_than_steps_of_a_window),
        cmocka_unit_test(nothing_is_said_of_one_rank_or_with_factor_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
