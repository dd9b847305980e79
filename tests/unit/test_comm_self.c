/* The communicator of one rank, the launcher's traces in the environment, and the last line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lockstep/comm.h"
#include "lockstep/log.h"

static int open_self(void **state) {
    Comm *comm = NULL;
    if (comm_open_self(300, &comm) != ST_OK)
        return -1;
    *state = comm;
    return 0;
}

static int close_self(void **state) {
    comm_close(*state);
    status_clear();
    return 0;
}

/* Runs `job` in a child process; returns its exit code and what it printed. */
static int in_child(void (*job)(Comm *), Comm *comm, char *text, size_t bytes) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        job(comm);
        _exit(99);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t n;
    while (used < bytes - 1 && (n = read(ends[0], text + used, bytes - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(ends[0]);
    int status;
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void one_rank(void **state) {
    Comm *comm = *state;
    assert_int_equal(comm_rank(comm), 0);
    assert_int_equal(comm_size(comm), 1);
    assert_int_equal(comm_local_rank(comm), 0);
    assert_int_equal(comm_local_size(comm), 1);
    assert_string_equal(comm_library(comm), "none");
    assert_true(strlen(comm_host(comm)) > 0);
    assert_true(comm_deadline(comm) == 300);
    comm_set_deadline(comm, 2.5);
    assert_true(comm_deadline(comm) == 2.5);
}

static void collectives_keep_values(void **state) {
    Comm *comm = *state;
    int64_t values[3] = {1, -2, INT64_MAX}, copy[3] = {0};
    double most = -1.5;
    float real = 0.1f;
    assert_int_equal(comm_barrier(comm), ST_OK);
    assert_int_equal(comm_sum_i64(comm, values, 3), ST_OK);
    assert_int_equal(comm_bcast(comm, values, sizeof values, 0), ST_OK);
    assert_int_equal(comm_reduce(comm, values, 3, DT_I64, NULL, 0), ST_OK);
    assert_int_equal(comm_allgather(comm, values, sizeof values, copy), ST_OK);
    assert_true(copy[0] == 1 && copy[1] == -2 && copy[2] == INT64_MAX);
    assert_int_equal(comm_max_f64(comm, &most, 1), ST_OK);
    assert_true(most == -1.5);
    assert_int_equal(comm_reduce(comm, &real, 1, DT_F32, NULL, 0), ST_OK);
    assert_true(real == 0.1f);
    assert_int_equal(comm_same(comm, "config", "text"), ST_OK);
    assert_int_equal(comm_agree(comm, ST_OK), ST_OK);
    assert_string_equal(status_message(), "");
}

static void reduce_refuses_other_types(void **state) {
    double value = 1;
    assert_int_equal(comm_reduce(*state, &value, 1, DT_F64, NULL, 0), ST_INTERNAL);
    assert_non_null(strstr(status_message(), "int64, int32, float or bfloat16"));
}

static void agree_on_failure(Comm *comm) {
    comm_at(comm, 12, STAGE_CHECKPOINT);
    Status agreed = comm_agree(comm, FAIL(ST_CHECKPOINT, "disk is full"));
    /* The record has been printed, and the agreed status cannot be spoken twice. */
    if (agreed != ST_CHECKPOINT || status_message()[0])
        _exit(98);
    if (comm_agree(comm, agreed) != ST_CHECKPOINT)
        _exit(97);
    comm_abort(comm, agreed);
}

static void agree_prints_once(void **state) {
    char text[512], expected[512];
    assert_int_equal(in_child(agree_on_failure, *state, text, sizeof text), ST_CHECKPOINT);
    snprintf(expected, sizeof expected, "lockstep: [%s rank 0/1 step 12] disk is full\n",
             comm_host(*state));
    assert_string_equal(text, expected);
}

static void agree_forgets_nothing_later(void **state) {
    Comm *comm = *state;
    status_put(&(StatusRecord){.status = ST_DATA}); /* as comm_agree leaves it */
    assert_int_equal(comm_agree(comm, ST_OK), ST_OK);
    status_clear();
    assert_int_equal(FAIL(ST_DATA, "next"), ST_DATA);
    assert_string_equal(status_message(), "next");
}

static void abort_with_record(Comm *comm) {
    printf("buffered output");
    comm_abort(comm, FAIL(ST_DIVERGED, "loss is NaN"));
}

static void abort_without_record(Comm *comm) {
    comm_abort(comm, ST_DEVICE);
}

static void abort_prints_and_exits(void **state) {
    char text[512];
    assert_int_equal(in_child(abort_with_record, *state, text, sizeof text), ST_DIVERGED);
    assert_string_equal(text, "lockstep: loss is NaN\nbuffered output");
    assert_int_equal(in_child(abort_without_record, *state, text, sizeof text), ST_DEVICE);
    assert_string_equal(text, "lockstep: failed without a message (device)\n");
}

static void fail_twice(Comm *comm) {
    log_fatal(-1, "the first cause");
    comm_abort(comm, FAIL(ST_CHECKPOINT, "what followed from it"));
}

static void the_first_cause_is_the_one_line(void **state) {
    char text[512];
    assert_int_equal(in_child(fail_twice, *state, text, sizeof text), ST_CHECKPOINT);
    assert_string_equal(text, "lockstep: the first cause\n");
}

static void clear_launchers(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK",     "PMI_RANK",
                                        "SLURM_PROCID",         "SLURM_STEP_ID", "SLURM_JOB_ID",
                                        "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static void launchers_are_known(void **state) {
    (void)state;
    static const char *const launched[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    clear_launchers();
    assert_false(comm_launched());
    for (size_t i = 0; i < sizeof launched / sizeof *launched; i++) {
        setenv(launched[i], "1", 1);
        assert_true(comm_launched());
        clear_launchers();
    }
    /* The script of an sbatch job. */
    setenv("SLURM_JOB_ID", "5", 1);
    setenv("SLURM_PROCID", "0", 1);
    assert_false(comm_launched());
    /* A step of srun without PMI: of one task, then of two. */
    setenv("SLURM_STEP_ID", "0", 1);
    setenv("SLURM_STEP_NUM_TASKS", "1", 1);
    assert_false(comm_launched());
    setenv("SLURM_STEP_NUM_TASKS", "2", 1);
    assert_true(comm_launched());
    clear_launchers();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_rank, open_self, close_self),
        cmocka_unit_test_setup_teardown(collectives_keep_values, open_self, close_self),
        cmocka_unit_test_setup_teardown(reduce_refuses_other_types, open_self, close_self),
        cmocka_unit_test_setup_teardown(agree_prints_once, open_self, close_self),
        cmocka_unit_test_setup_teardown(agree_forgets_nothing_later, open_self, close_self),
        cmocka_unit_test_setup_teardown(abort_prints_and_exits, open_self, close_self),
        cmocka_unit_test_setup_teardown(the_first_cause_is_the_one_line, open_self, close_self),
        cmocka_unit_test(launchers_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
