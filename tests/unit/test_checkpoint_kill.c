/* A writer killed at any instant leaves only good committed files, and a folder that the next
 * process can go on in.
 *
 * What is on the disk changes with an operation on files alone, so the instants are these: after
 * each of them, and in the middle of each write. The program's own definitions of them stand before
 * the C library's, count, and kill. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_fixture.h"

enum { KEEP = 2, STEPS = 4 /* the last two of which remove what is beyond KEEP */ };
static const CheckpointKeep keep = {.newest = KEEP};

static int operations; /* so far */
static int fatal;      /* the operation that this process is killed in; 0: none */

static void count(void) {
    if (++operations == fatal)
        raise(SIGKILL);
}

/* Two instants: half of it, all of it. */
ssize_t write(int fd, const void *bytes, size_t size) {
    if (fatal > 0 && operations + 1 == fatal)
        syscall(SYS_write, fd, bytes, size / 2);
    count();
    ssize_t n = syscall(SYS_write, fd, bytes, size);
    count();
    return n;
}

int fsync(int fd) {
    int result = (int)syscall(SYS_fsync, fd);
    count();
    return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    int result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    count();
    return result;
}

int unlink(const char *path) {
    int result = (int)syscall(SYS_unlink, path);
    count();
    return result;
}

/* In a child: steps from `step` on, killed in operation `kill_at`. Returns how
 * it ended. */
static int write_steps(Fixture *f, int64_t step, int kill_at) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        operations = 0;
        fatal = kill_at;
        for (int64_t last = step + STEPS; step < last; step++) {
            fixture_step(f, step);
            if (checkpoint_write(f->folder, &f->checkpoint, NULL, NULL) != ST_OK ||
                checkpoint_prune(f->folder, &keep, NULL, NULL) != ST_OK)
                _exit(1);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void all_good(const Fixture *f) {
    DIR *dir = opendir(f->folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length < 3 || strcmp(entry->d_name + length - 3, ".h5") != 0)
            continue;
        if (checkpoint_verify(fixture_path(f, entry->d_name)) != ST_OK)
            fail_msg("%s", status_message());
    }
    closedir(dir);
}

static bool has(const Fixture *f, const char *part) {
    return fixture_shell("ls '%s' | grep -q '%s'", f->folder, part) == 0;
}

static void killed_at_any_instant(void **state) {
    (void)state;
    Fixture f;
    char path[4096];
    int64_t step = 0;
    int kill_at, status = 0, torn = 0, alone = 0;
    fixture_open(&f, 0);
    for (kill_at = 1;; kill_at++) {
        status = write_steps(&f, step + 1, kill_at);
        if (!WIFSIGNALED(status))
            break;
        assert_int_equal(WTERMSIG(status), SIGKILL);
        torn += has(&f, "h5\\.tmp");
        alone += has(&f, "tmp") && has(&f, "xxh3$");
        /* Every file with a final name is good. */
        all_good(&f);
        assert_int_equal(checkpoint_newest(f.folder, true, NULL, path), ST_OK);
        assert_false(has(&f, "bad"));
        if (*path) {
            Checkpoint meta;
            uint64_t hash;
            assert_int_equal(checkpoint_read_meta(path, &meta), ST_OK);
            assert_true(meta.state.step >= step);
            step = meta.state.step;
            fixture_step(&f, step);
            assert_int_equal(checkpoint_state_hash(&f.checkpoint, &hash), ST_OK);
            assert_true(hash == meta.state_hash);
            checkpoint_meta_free(&meta);
        }
    }
    /* The last one was killed nowhere. A checkpoint takes two writes, three fsyncs and two renames
     * at least, and so nine instants. */
    assert_int_equal(status, 0);
    assert_true(kill_at > STEPS * 9);
    assert_true(step > 0 && torn > 0 && alone > 0);
    assert_int_equal(checkpoint_prune(f.folder, &keep, NULL, NULL), ST_OK);
    assert_false(has(&f, "tmp"));
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_instant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
