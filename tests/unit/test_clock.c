/* The clock of deadlines stands while its process does, whichever of its threads looks first, and
 * runs as any other while it runs. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lockstep/clock.h"
#include "lockstep/thread.h"

static const double STOPPED_S = 6;

/* What a process that was stopped meanwhile says: 0 where all is well. */
static int stopped_process(int ready) {
    double start = clock_now(), ran = clock_running();
    Deadline near = deadline_after(0.3), far = deadline_after(5);
    if (write(ready, "", 1) != 1)
        return 1;
    while (clock_now() - start < STOPPED_S) /* it may be stopped anywhere in it */
        clock_sleep(1e-3);
    double all = clock_now() - start, once = clock_running() - ran;
    if (all - once < 3)
        return 2; /* the first look after it */
    if (deadline_passed(&far))
        return 3;
    clock_sleep(0.3); /* the thread has looked as well */
    double twice = clock_running() - ran - once, later = clock_now() - start - all;
    if (twice < 0 || twice > later + 1e-6) /* how much of it depends on when that thread ran */
        return 4;
    if (!deadline_passed(&near))
        return 5;
    while (!deadline_passed(&far)) {
        if (clock_now() - start > STOPPED_S + 20)
            return 6; /* it runs on */
        clock_sleep(1e-3);
    }
    return 0;
}

static void stands_with_its_process(void **state) {
    (void)state;
    int ready[2], status;
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t process = fork(); /* before this one has looked at that clock */
    assert_true(process >= 0);
    if (process == 0)
        _exit(stopped_process(ready[1]));
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(process, SIGSTOP);
    clock_sleep(STOPPED_S);
    kill(process, SIGCONT);
    assert_int_equal(waitpid(process, &status, 0), process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(ready[0]);
    close(ready[1]);
}

static void runs_as_any_other(void **state) {
    (void)state;
    double start = clock_now(), ran = clock_running();
    Deadline deadline = deadline_after(0.5), far = deadline_after(1000);
    assert_true(deadline.seconds == 0.5);
    assert_false(deadline_passed(&far));
    clock_sleep(0.4);
    double by_this = clock_running() - ran;
    assert_true(by_this > 0 && by_this <= clock_now() - start + 1e-6);
    while (!deadline_passed(&deadline) && clock_now() - start < 30)
        clock_sleep(1e-3);
    assert_true(clock_now() - start >= 0.49 && clock_now() - start < 30);
    Deadline none = deadline_after(0);
    assert_true(deadline_passed(&none));
}

/* A wait comes back though nobody signals: soon, or at its deadline where that is sooner. */
static void waits_come_back(void **state) {
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    assert_int_equal(cond_init_monotonic(&cond), ST_OK);
    pthread_mutex_lock(&lock);
    double start = clock_now();
    cond_wait_briefly(&cond, &lock);
    assert_true(clock_now() - start < 10);
    Deadline passed = deadline_after(0), far = deadline_after(1000);
    cond_wait_before(&cond, &lock, &passed);
    cond_wait_before(&cond, &lock, &far);
    assert_true(clock_now() - start < 20);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stands_with_its_process),
        cmocka_unit_test(runs_as_any_other),
        cmocka_unit_test(waits_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
