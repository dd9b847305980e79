/* A process beside the run: its end is seen, and none that cannot be ended is waited for. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/run/child.h"

/* Takes the place of the C library's: where `immune`, processes stand in a call of the kernel in
 * which no signal takes effect. */
static bool immune;
int kill(pid_t process, int number) {
    return immune ? 0 : (int)syscall(SYS_kill, process, number);
}

/* A process that ends with this code after so many seconds. */
static pid_t start(int code, double seconds) {
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        clock_sleep(seconds);
        _exit(code);
    }
    return process;
}

static void an_end_is_seen(void **state) {
    (void)state;
    Deadline deadline = deadline_after(30);
    ChildEnd end = child_wait(start(0, 0), &deadline);
    assert_true(end.well);
    end = child_wait(start(5, 0.1), &deadline);
    assert_false(end.well);
    assert_int_equal(end.code, 5);
    assert_string_equal(end.words, "it ended with exit code 5");
}

/* Its end counts, however late it is looked for. */
static void an_end_counts_after_the_deadline(void **state) {
    (void)state;
    Deadline passed = deadline_after(0);
    pid_t process = start(0, 0);
    clock_sleep(0.5);
    assert_true(child_wait(process, &passed).well);
}

static void one_that_takes_too_long_is_ended(void **state) {
    (void)state;
    Deadline deadline = deadline_after(0.2);
    pid_t process = start(0, 100);
    double began = clock_now();
    ChildEnd end = child_wait(process, &deadline);
    assert_string_equal(end.words, "it took too long");
    assert_true(clock_now() - began < 20);
    assert_int_equal(waitpid(process, NULL, 0), -1); /* nothing of it is left */
}

static void one_that_cannot_be_ended_is_left(void **state) {
    (void)state;
    pid_t process = start(0, 30);
    double began = clock_now();
    immune = true;
    child_kill(process);
    immune = false;
    assert_true(clock_now() - began < 20);
    assert_int_equal(waitpid(process, NULL, WNOHANG), 0); /* it lives */
    child_kill(process);
    assert_int_equal(waitpid(process, NULL, 0), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_seen),
        cmocka_unit_test(an_end_counts_after_the_deadline),
        cmocka_unit_test(one_that_takes_too_long_is_ended),
        cmocka_unit_test(one_that_cannot_be_ended_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
