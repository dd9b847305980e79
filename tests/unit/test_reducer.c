/* The reducer over the communicator of one rank: submission from several threads in any order,
 * failures, and stopping at any time. (Sums over ranks: tests/dist/comm.sh.) */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/clock.h"
#include "lockstep/reducer.h"
#include "lockstep/thread.h"
#include "../../src/comm/comm_internal.h"

enum { BUCKETS = 12, COUNT = 64, THREADS = 4, STEPS = 200 };

/* A data plane that keeps a protocol. Written by the reducer thread alone, read after its wait. */
typedef struct Recorder {
    int n;
    int buckets[2 * BUCKETS];
    DType types[2 * BUCKETS];
    int fail_at; /* bucket; -1: never */
    int failures;
    int slow_at;      /* bucket; -1: none */
    atomic_bool busy; /* in that one */
} Recorder;

static Status record(Comm *comm, void *state, void *data, int64_t count, DType dtype, void *after,
                     int bucket) {
    Recorder *recorder = state;
    if (bucket == recorder->fail_at) {
        recorder->failures++;
        return FAIL(ST_COMM, "bucket %d cannot be summed", bucket);
    }
    if (bucket == recorder->slow_at) {
        recorder->busy = true;
        clock_sleep(0.1);
        recorder->busy = false;
    }
    if (after != (bucket % 2 ? comm : NULL))
        return FAIL(ST_INTERNAL, "the mark of bucket %d was lost", bucket);
    if (recorder->n == 2 * BUCKETS) /* a cmocka assertion would jump to another thread's stack */
        return FAIL(ST_INTERNAL, "too many messages");
    recorder->buckets[recorder->n] = bucket;
    recorder->types[recorder->n++] = dtype;
    for (int64_t i = 0; i < count; i++) {
        if (dtype == DT_I64)
            ((int64_t *)data)[i] *= 2;
        else
            ((float *)data)[i] *= 2;
    }
    return ST_OK;
}

static const DataPlane recording = {.reduce = record};

typedef struct Fixture {
    Comm *comm;
    Reducer *reducer;
    Recorder recorder;
    int64_t data[BUCKETS][COUNT];
    float tail[BUCKETS];
    int step;
} Fixture;

static int set_up(void **state) {
    Fixture *f = calloc(1, sizeof *f);
    BucketMessage messages[BUCKETS][2];
    if (!f || comm_open_self(300, &f->comm) != ST_OK)
        return -1;
    f->recorder.fail_at = f->recorder.slow_at = -1;
    f->comm->data = &recording;
    f->comm->data_state = &f->recorder;
    for (int b = 0; b < BUCKETS; b++) {
        void *mark = b % 2 ? f->comm : NULL; /* any pointer does */
        messages[b][0] = (BucketMessage){f->data[b], COUNT, DT_I64, mark};
        messages[b][1] = (BucketMessage){&f->tail[b], b == 3, DT_F32, mark};
    }
    *state = f;
    return reducer_start(f->comm, BUCKETS, (const BucketMessage(*)[2])messages, NULL, &f->reducer);
}

static int tear_down(void **state) {
    Fixture *f = *state;
    reducer_stop(f->reducer);
    comm_close(f->comm);
    free(f);
    status_clear();
    return 0;
}

/* Thread t fills and submits buckets t, t + THREADS, ..., from the front in even steps. */
static Status fill(void *context, int thread) {
    Fixture *f = context;
    for (int i = 0; i < BUCKETS / THREADS; i++) {
        int b = thread + THREADS * (f->step % 2 ? BUCKETS / THREADS - 1 - i : i);
        for (int j = 0; j < COUNT; j++)
            f->data[b][j] = f->step + b * COUNT + j;
        f->tail[b] = (float)f->step;
        reducer_submit(f->reducer, b);
    }
    return ST_OK;
}

static void threads_submit_in_any_order(void **state) {
    Fixture *f = *state;
    Team *team;
    assert_int_equal(team_start(THREADS, &team), ST_OK);
    for (f->step = 0; f->step < STEPS; f->step++) {
        double busy = -1;
        f->recorder.n = 0;
        reducer_begin(f->reducer, 0);
        assert_int_equal(team_run(team, fill, f), ST_OK);
        assert_int_equal(reducer_wait(f->reducer, &busy), ST_OK);
        assert_true(busy > 0);
        /* One message a bucket, in descending order; the tail of bucket 3 right behind it. */
        assert_int_equal(f->recorder.n, BUCKETS + 1);
        for (int i = 0, b = BUCKETS - 1; b >= 0; i++, b--) {
            assert_int_equal(f->recorder.buckets[i], b);
            assert_int_equal(f->recorder.types[i], DT_I64);
            if (b == 3) {
                assert_int_equal(f->recorder.buckets[++i], 3);
                assert_int_equal(f->recorder.types[i], DT_F32);
            }
        }
        for (int b = 0; b < BUCKETS; b++) {
            for (int j = 0; j < COUNT; j++)
                assert_true(f->data[b][j] == 2 * (f->step + b * COUNT + j));
            assert_true(f->tail[b] == (float)((b == 3 ? 2 : 1) * f->step));
        }
    }
    team_stop(team);
}

static void failure_reaches_the_caller_for_good(void **state) {
    Fixture *f = *state;
    double busy;
    f->recorder.fail_at = 5;
    for (int attempt = 0; attempt < 2; attempt++) {
        reducer_begin(f->reducer, 0);
        for (int b = 0; b < BUCKETS; b++)
            reducer_submit(f->reducer, b);
        assert_int_equal(reducer_wait(f->reducer, &busy), ST_COMM);
        assert_string_equal(status_message(), "bucket 5 cannot be summed");
        assert_non_null(strstr(status_trace_text(), "reducer.c"));
        status_clear();
        /* Nothing is summed or tried after a failure. */
        assert_int_equal(f->recorder.failures, 1);
        assert_int_equal(f->recorder.n, BUCKETS - 1 - 5);
    }
}

/* The one that is under way comes to its end; the others are ready, and not begun. */
static void nothing_is_summed_once_abandoned(void **state) {
    Fixture *f = *state;
    double busy;
    f->recorder.slow_at = 6;
    reducer_begin(f->reducer, 0);
    for (int b = 0; b < BUCKETS; b++)
        reducer_submit(f->reducer, b);
    while (!f->recorder.busy)
        clock_sleep(1e-3);
    reducer_abandon(f->reducer);
    assert_false(f->recorder.busy);
    clock_sleep(0.02);
    assert_int_equal(f->recorder.n, BUCKETS - 6);
    assert_int_equal(reducer_wait(f->reducer, &busy), ST_LOST);
}

static void stops_at_any_time(void **state) {
    Fixture *f = *state;
    double busy = -1;
    BucketMessage none[1][2] = {0};
    Reducer *other;
    reducer_stop(NULL);
    /* Idle; without buckets; with a bucket outstanding that nobody submits (tear_down). */
    assert_int_equal(reducer_start(f->comm, 0, (const BucketMessage(*)[2])none, NULL, &other),
                     ST_OK);
    reducer_begin(other, 0);
    assert_int_equal(reducer_wait(other, &busy), ST_OK);
    assert_true(busy == 0);
    reducer_stop(other);
    reducer_begin(f->reducer, 0);
    for (int b = BUCKETS - 1; b > 0; b--)
        reducer_submit(f->reducer, b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_submit_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failure_reaches_the_caller_for_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_summed_once_abandoned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stops_at_any_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
