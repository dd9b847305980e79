/* A writer killed at any instant leaves only good committed files, and a folder that the next
 * process can go on in. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_fixture.h"
#include "lockstep/clock.h"

enum { KILLS = 40 };

static void write_for_ever(Fixture *f, int64_t step) {
    for (;; step++) {
        fixture_step(f, step);
        if (checkpoint_write(f->folder, &f->checkpoint, NULL, NULL) != ST_OK ||
            checkpoint_prune(f->folder, 3, NULL, NULL) != ST_OK)
            _exit(1);
    }
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

static void killed_at_any_instant(void **state) {
    (void)state;
    Fixture f;
    char path[4096];
    int64_t step = 0;
    int torn = 0;
    fixture_open(&f, 0);
    srandom(7);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_for_ever(&f, step + 1);
        clock_sleep(0.01 + 0.03 * (double)random() / RAND_MAX);
        int status;
        assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* it had no trouble of its own */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        torn += fixture_shell("ls '%s' | grep -q tmp", f.folder) == 0;
        /* Every file with a final name is good. */
        all_good(&f);
        assert_int_equal(checkpoint_newest(f.folder, true, path), ST_OK);
        assert_int_equal(fixture_shell("ls '%s' | grep -q bad", f.folder), 1);
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
    assert_true(step > 0);
    assert_true(torn > 0); /* else the kills missed the writes */
    assert_int_equal(checkpoint_prune(f.folder, 3, NULL, NULL), ST_OK);
    assert_int_equal(fixture_shell("ls '%s' | grep -q tmp", f.folder), 1);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_instant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
