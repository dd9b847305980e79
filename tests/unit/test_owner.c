/* The owner file: who may take a run directory from whom, with and without kernel locks, and what a
 * process that has lost it can no longer do. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_fixture.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

/* Take the place of the C library's: a file system without locks where lock_error is set, one that
 * has none of bytes where byte_locks is not, and one that gives everybody every lock. Files whose
 * names have `broken` in them cannot be locked. */
static int lock_error;
static bool byte_locks = true, always;
static const char *broken;
int flock(int fd, int operation);
int flock(int fd, int operation) {
    if (lock_error) {
        errno = lock_error;
        return -1;
    }
    return always ? 0 : (int)syscall(SYS_flock, fd, operation);
}

int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (command == F_OFD_SETLK && broken && readlink(link, path, sizeof path - 1) > 0 &&
        strstr(path, broken)) {
        errno = EIO;
        return -1;
    }
    if (command == F_OFD_SETLK && (lock_error || !byte_locks)) {
        errno = lock_error ? lock_error : EINVAL;
        return -1;
    }
    return command == F_OFD_SETLK && always ? 0 : (int)syscall(SYS_fcntl, fd, command, argument);
}

/* fsync: the next `sync_failures` of them fail; the others are counted. */
static int sync_error, sync_failures, synced;
int fsync(int fd) {
    if (sync_failures > 0) {
        sync_failures--;
        errno = sync_error;
        return -1;
    }
    synced++;
    return (int)syscall(SYS_fsync, fd);
}

/* Seconds between the beats of holders, and how many of them are waited for. */
static double period = 0.05;
enum { WATCHED = 4 };

static void job(const char *id, const char *restart) {
    if (id)
        setenv("SLURM_JOB_ID", id, 1);
    else
        unsetenv("SLURM_JOB_ID");
    if (restart)
        setenv("SLURM_RESTART_COUNT", restart, 1);
    else
        unsetenv("SLURM_RESTART_COUNT");
}

/* A child that has taken the directory, and lives, with its heartbeat, until it is killed. */
static pid_t holder(const char *folder) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        RunDir mine;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where a check fails before it is buried */
        if (rundir_open(folder, &mine) != ST_OK || rundir_beat(&mine, 0, period) != ST_OK ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (int64_t beat = 1;; beat++) {
            clock_sleep(period / 5);
            if (rundir_beat(&mine, beat, period) != ST_OK)
                _exit(1);
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void bury(pid_t child) {
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Replaces a word of the owner file, as another host would have written it: another file, in which
 * no heartbeat beats. */
static void rewrite(const Fixture *f, const char *key, const char *value) {
    assert_int_equal(
        fixture_shell("sed -i 's|^%s .*|%s %s|' '%s/owner'", key, key, value, f->folder), 0);
}

/* The same within the file, by a word as long: the process behind it is on another host. */
static void move_away(const Fixture *f) {
    size_t size;
    char *text = fixture_load(fixture_path(f, "owner"), &size);
    char *boot = strstr(text, "boot ");
    assert_non_null(boot);
    int fd = open(fixture_path(f, "owner"), O_WRONLY);
    assert_int_equal(pwrite(fd, "elsewhere", 9, boot + 5 - text), 9);
    close(fd);
    free(text);
}

static void a_restarted_job_takes_over(void **state) {
    (void)state;
    Fixture f;
    RunDir dir, late;
    char names[64];
    fixture_open(&f, 1);
    job("77", NULL);
    pid_t child = holder(f.folder);
    fixture_refused(rundir_open(f.folder, &dir), "(job 77, restart 0)");
    job("78", "1");
    fixture_refused(rundir_open(f.folder, &dir), "in use by process");
    job(NULL, "1");
    fixture_refused(rundir_open(f.folder, &dir), "in use by process");
    job("77", "1");
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_check(&dir), ST_OK);
    assert_false(rundir_lost(&dir));
    /* The lock is the new one's, whether or not the old process lives. */
    snprintf(names, sizeof names, "in use by process %ld on ", (long)getpid());
    job("79", NULL);
    fixture_refused(rundir_open(f.folder, &late), names);
    bury(child);
    fixture_refused(rundir_open(f.folder, &late), names);
    job("77", "0");
    fixture_refused(rundir_open(f.folder, &late), names);
    rundir_close(&dir);
    fixture_close(&f);
    job(NULL, NULL);
}

/* The supervisor's count is asked before Slurm's, which it has in it. */
static void so_does_a_supervised_one(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    job("77", "5");
    setenv("SUPERVISE_JOB", "1700000000123", 1);
    setenv("SUPERVISE_RESTART", "1", 1);
    pid_t child = holder(f.folder);
    fixture_refused(rundir_open(f.folder, &dir), "(job 1700000000123, restart 1)");
    setenv("SUPERVISE_RESTART", "2", 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    rundir_close(&dir);
    bury(child);
    fixture_close(&f);
    unsetenv("SUPERVISE_JOB");
    unsetenv("SUPERVISE_RESTART");
    job(NULL, NULL);
}

static void the_old_one_can_do_nothing(void **state) {
    (void)state;
    Fixture f;
    RunDir dir, next;
    size_t size;
    fixture_open(&f, 1);
    job("77", "3");
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_open_log(&dir), ST_OK);
    log_to_file(dir.log_fd, NULL, NULL);
    log_rank("before");
    job("77", "4");
    assert_int_equal(rundir_open(f.folder, &next), ST_OK);
    assert_int_equal(rundir_open_log(&next), ST_OK);
    assert_int_equal(write(next.log_fd, "new\n", 4), 4);
    assert_true(rundir_lost(&dir));
    fixture_refused(rundir_check(&dir), "(job 77, restart 4) now; this process is no longer its");
    fixture_refused(rundir_reset(&dir), "no longer its owner");
    fixture_refused(rundir_write_config(&dir, "seed: 9\n"), "no longer its owner");
    fixture_refused(rundir_link_best(&dir, "step-00000001.h5"), "no longer its owner");
    fixture_refused(rundir_open_log(&dir), "no longer its owner");
    log_rank("after"); /* even unguarded it does not reach the new one's file */
    log_to_file(-1, NULL, NULL);
    char *text = fixture_load(fixture_path(&f, "log.txt"), &size);
    assert_non_null(strstr(text, "before\nnew\n"));
    assert_null(strstr(text, "after"));
    free(text);
    assert_int_equal(fixture_shell("cd '%s' && test \"$(ls . | tr '\\n' ' ')\" = "
                                   "'checkpoints log.txt owner '",
                                   f.folder),
                     0);
    rundir_close(&dir); /* the end of the old one is not noted as that of the new one */
    assert_int_equal(rundir_check(&next), ST_OK);
    rundir_close(&next);
    assert_int_equal(fixture_shell("tail -n 1 '%s/owner' | grep -qx ended", f.folder), 0);
    fixture_close(&f);
    job(NULL, NULL);
}

static bool lost(const void *dir) {
    return rundir_lost(dir);
}

static void the_log_asks(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_open_log(&dir), ST_OK);
    log_to_file(dir.log_fd, lost, &dir);
    log_rank("one");
    rewrite(&f, "pid", "1");
    log_rank("two");
    log_to_file(-1, NULL, NULL);
    char *text = fixture_load(fixture_path(&f, "log.txt"), &size);
    assert_non_null(strstr(text, "one"));
    assert_null(strstr(text, "two"));
    free(text);
    rundir_close(&dir);
    fixture_close(&f);
}

/* The lock is free, as after a crash, but the file names a later restart of this job. */
static void a_left_over_is_refused(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    job("77", "2");
    bury(holder(f.folder));
    rewrite(&f, "space", "elsewhere"); /* dead, but not seen to be */
    job("77", "1");
    fixture_refused(rundir_open(f.folder, &dir), "this process is of restart 1, a left-over");
    job("78", NULL);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    rundir_close(&dir);
    fixture_close(&f);
    job(NULL, NULL);
}

/* Where locks are those of whole files, or of bytes: they keep out who else would take it. */
static void either_lock(void **state) {
    (void)state;
    for (int bytes = 0; bytes < 2; bytes++) {
        Fixture f;
        RunDir dir;
        fixture_open(&f, 1);
        byte_locks = bytes;
        pid_t child = holder(f.folder);
        rewrite(&f, "space", "elsewhere"); /* the rename takes the lock with the old file */
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        rundir_close(&dir);
        bury(child);
        child = holder(f.folder);
        move_away(&f);
        fixture_refused(rundir_open(f.folder, &dir), "if that host is gone for good, remove ");
        bury(child);
        fixture_close(&f);
    }
    byte_locks = true;
}

/* Locks of this node alone, and a holder on another: its heartbeat decides. */
static void the_heartbeat_decides(void **state) {
    (void)state;
    period = 0.5; /* on a busy machine too a holder that lives is not late by four of them */
    for (int none = 0; none < 2; none++) {
        Fixture f;
        RunDir dir;
        fixture_open(&f, 1);
        always = !none;
        lock_error = none ? ENOLCK : 0;
        job("77", NULL);
        pid_t child = holder(f.folder);
        fixture_refused(rundir_open(f.folder, &dir), "in use by process"); /* as it is seen */
        move_away(&f);
        job("78", NULL);
        fixture_refused(rundir_open(f.folder, &dir), "(job 77, restart 0); wait for its end");
        kill(child, SIGSTOP);
        double start = clock_now();
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        assert_true(clock_now() - start >= WATCHED * period);
        kill(child, SIGCONT);
        clock_sleep(2 * period); /* it beats again, on a file that has no name */
        assert_int_equal(rundir_check(&dir), ST_OK);
        bury(child);
        rundir_close(&dir);
        /* Whoever left in order, or belongs to the same job before its restart, is not watched. */
        start = clock_now();
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        move_away(&f);
        job("78", "1");
        RunDir next;
        assert_int_equal(rundir_open(f.folder, &next), ST_OK);
        rundir_close(&dir);
        rundir_close(&next);
        assert_true(clock_now() - start < 10);
        fixture_close(&f);
    }
    always = false;
    lock_error = 0;
    period = 0.05;
    job(NULL, NULL);
}

/* The owner file of a version that had no heartbeat: what nobody can see is left alone. */
static void without_a_heartbeat(void **state) {
    (void)state;
    for (int none = 0; none < 2; none++) {
        Fixture f;
        RunDir dir;
        fixture_open(&f, 1);
        bury(holder(f.folder));
        assert_int_equal(fixture_shell("sed -i '/^beat/d' '%s/owner'", f.folder), 0);
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK); /* it is seen to be dead */
        rundir_close(&dir);
        bury(holder(f.folder));
        assert_int_equal(fixture_shell("sed -i '/^beat/d' '%s/owner'", f.folder), 0);
        rewrite(&f, "boot", "another");
        lock_error = none ? ENOLCK : 0;
        fixture_refused(rundir_open(f.folder, &dir),
                        "has no heartbeat; where it is known to have ended, remove ");
        unlink(fixture_path(&f, "owner"));
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        rundir_close(&dir);
        lock_error = 0;
        fixture_close(&f);
    }
}

/* Once it is written it is on the disk, whatever signal comes between; if not, that is said. */
static void a_beat_lasts(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    synced = 0;
    assert_int_equal(rundir_beat(&dir, 7, period), ST_OK);
    assert_int_equal(synced, 1);
    sync_error = EINTR;
    sync_failures = 2;
    assert_int_equal(rundir_beat(&dir, 8, period), ST_OK);
    assert_int_equal(sync_failures, 0);
    assert_int_equal(synced, 2);
    sync_error = EIO;
    sync_failures = 1;
    fixture_refused(rundir_beat(&dir, 9, period), "heartbeat cannot be written: Input/output");
    rundir_close(&dir);
    fixture_close(&f);
}

/* What is tolerated leaves no error behind: the thread's next one would not be told. */
static void a_left_over_that_cannot_be_locked(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    fixture_save(fixture_path(&f, "owner.tmp.7.n1"), "", 0);
    fixture_save(fixture_path(&f, "owner.tmp.8.n1"), "", 0);
    assert_int_equal(fixture_shell("touch -d '1 hour ago' '%s'/owner.tmp.*", f.folder), 0);
    broken = "owner.tmp.7.";
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_string_equal(status_message(), "");
    assert_true(fixture_exists(&f, "owner.tmp.7.n1"));
    assert_false(fixture_exists(&f, "owner.tmp.8.n1"));
    broken = NULL;
    rundir_close(&dir);
    fixture_close(&f);
}

/* From one that is named, whatever its lock, its heartbeat and its process say; from no other. */
static void a_run_inherits(void **state) {
    (void)state;
    Fixture f;
    RunDir dir, heir, late;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_beat(&dir, 7, period), ST_OK);
    assert_int_equal(rundir_check(&dir), ST_OK);
    clock_sleep(1.1); /* else the same process since the same second */
    assert_int_equal(rundir_inherit(f.folder, dir.owner, &heir), ST_OK);
    assert_true(rundir_lost(&dir));
    fixture_refused(rundir_inherit(f.folder, dir.owner, &late), "in use by process");
    assert_int_equal(rundir_check(&heir), ST_OK);
    rundir_close(&heir);
    rundir_close(&dir);
    fixture_close(&f);
}

static void without_locks(void **state) {
    static const int errors[] = {ENOLCK, EOPNOTSUPP, ENOSYS};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        Fixture f;
        RunDir dir, next;
        fixture_open(&f, 1);
        lock_error = errors[i];
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        fixture_refused(rundir_open(f.folder, &next), "in use by process");
        rundir_close(&dir); /* notes the end */
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        rundir_close(&dir);
        /* A process of this kernel is seen to be dead, one of another is not. */
        pid_t child = holder(f.folder);
        fixture_refused(rundir_open(f.folder, &next), "in use by process");
        bury(child);
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        rundir_close(&dir);
        bury(holder(f.folder));
        rewrite(&f, "boot", "another");
        assert_int_equal(rundir_open(f.folder, &next), ST_OK); /* once that is clear */
        rundir_close(&next);
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        /* Its number is given to another process after its death. */
        rewrite(&f, "started", "1");
        assert_int_equal(rundir_open(f.folder, &next), ST_OK);
        rundir_close(&next);
        rundir_close(&dir);
        lock_error = 0;
        fixture_close(&f);
    }
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    lock_error = EIO;
    fixture_refused(rundir_open(f.folder, &dir), "cannot be locked");
    lock_error = 0;
    fixture_close(&f);
}

/* What who only looks is told, while it is so. */
static void seen_from_outside(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    assert_int_equal(rundir_holder(f.folder), HOLDER_NONE);
    pid_t child = holder(f.folder);
    assert_int_equal(rundir_holder(f.folder), HOLDER_ALIVE);
    rewrite(&f, "boot", "another");
    assert_int_equal(rundir_holder(f.folder), HOLDER_AWAY);
    bury(child);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_holder(f.folder), HOLDER_ALIVE);
    rundir_close(&dir);
    assert_int_equal(rundir_holder(f.folder), HOLDER_NONE);
    bury(holder(f.folder));
    assert_int_equal(rundir_holder(f.folder), HOLDER_NONE);
    fixture_save(fixture_path(&f, "owner"), "host a\npid 1\n", 13);
    assert_int_equal(rundir_holder(f.folder), HOLDER_NONE);
    fixture_close(&f);
}

static void a_torn_file_is_nobodys(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    fixture_save(fixture_path(&f, "owner"), "host a\npid 1\n", 13);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_check(&dir), ST_OK);
    unlink(fixture_path(&f, "owner"));
    assert_true(rundir_lost(&dir));
    fixture_refused(rundir_check(&dir), "owner is gone");
    rundir_close(&dir);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_job_takes_over),
        cmocka_unit_test(so_does_a_supervised_one),
        cmocka_unit_test(the_old_one_can_do_nothing),
        cmocka_unit_test(the_log_asks),
        cmocka_unit_test(a_left_over_is_refused),
        cmocka_unit_test(without_locks),
        cmocka_unit_test(seen_from_outside),
        cmocka_unit_test(a_torn_file_is_nobodys),
        cmocka_unit_test(either_lock),
        cmocka_unit_test(the_heartbeat_decides),
        cmocka_unit_test(without_a_heartbeat),
        cmocka_unit_test(a_beat_lasts),
        cmocka_unit_test(a_left_over_that_cannot_be_locked),
        cmocka_unit_test(a_run_inherits),
    };
    job(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
