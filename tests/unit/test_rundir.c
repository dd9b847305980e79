/* The run directory: one holder, what reset removes, the best link, the crash marker. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_fixture.h"
#include "lockstep/rundir.h"

static void makes_parents(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(fixture_path(&f, "a/b/run"), &dir), ST_OK);
    assert_true(fixture_exists(&f, "a/b/run/checkpoints"));
    rundir_close(&dir);
    rundir_close(&dir); /* accepts a closed one */
    fixture_save(fixture_path(&f, "file"), "", 0);
    fixture_refused(rundir_open(fixture_path(&f, "file/run"), &dir), "Not a directory");
    fixture_refused(rundir_open("", &dir), "empty");
    RunDir zero = {0};
    rundir_close(&zero);
    assert_int_equal(write(STDOUT_FILENO, "", 0), 0);
    fixture_close(&f);
}

static void one_holder(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    int ready[2];
    char byte, holder[64], path[512];
    fixture_open(&f, 1);
    snprintf(path, sizeof path, "%s", fixture_path(&f, "run"));
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        RunDir mine;
        if (rundir_open(path, &mine) != ST_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(holder, sizeof holder, "in use by process %ld on ", (long)child);
    fixture_refused(rundir_open(path, &dir), holder);
    /* Dead without a word: the lock is gone with it. */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(rundir_open(path, &dir), ST_OK);
    RunDir second;
    fixture_refused(rundir_open(path, &second), "in use by process");
    rundir_close(&dir);
    assert_int_equal(rundir_open(path, &dir), ST_OK);
    rundir_close(&dir);
    close(ready[0]);
    close(ready[1]);
    fixture_close(&f);
}

static bool has_checkpoints(const RunDir *dir, const char *base) {
    bool has;
    assert_int_equal(rundir_has_checkpoints(dir, base, &has), ST_OK);
    return has;
}

static void reset_removes_what_a_run_left(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    bool first;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_false(has_checkpoints(&dir, ""));
    fixture_save(fixture_path(&f, "checkpoints/step-00000001.h5.xxh3"), "x", 1);
    assert_false(has_checkpoints(&dir, ""));
    fixture_save(fixture_path(&f, "checkpoints/step-00000001.h5.bad"), "x", 1);
    assert_true(has_checkpoints(&dir, ""));
    unlink(fixture_path(&f, "checkpoints/step-00000001.h5.bad"));
    assert_int_equal(checkpoint_write(dir.checkpoints, &f.checkpoint, NULL, NULL), ST_OK);
    assert_true(has_checkpoints(&dir, ""));
    assert_int_equal(rundir_link_best(&dir, "step-00000001.h5"), ST_OK);
    assert_int_equal(rundir_crash_marker(f.folder, &first), ST_OK);
    fixture_save(fixture_path(&f, "metrics.jsonl"), "x", 1);
    fixture_save(fixture_path(&f, "result.json"), "x", 1);
    /* What it did not make, and what was found bad. */
    static const char *const stay[] = {"notes.txt", "step-00000001.h5.orig",
                                       "step-00000001.h5.xxh3.mine", "step-1.h5",
                                       "step-00000001.h5.tmp.mine"};
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        char name[64];
        snprintf(name, sizeof name, "checkpoints/%s", stay[i]);
        fixture_save(fixture_path(&f, name), "mine", 4);
    }
    fixture_save(fixture_path(&f, "checkpoints/step-00000003.h5.bad"), "x", 1);
    fixture_save(fixture_path(&f, "checkpoints/step-00000003.h5.xxh3.bad.2"), "x", 1);
    fixture_save(fixture_path(&f, "checkpoints/step-00000003.h5.tmp.1.0.0.elsewhere"), "x", 1);
    assert_int_equal(rundir_reset(&dir), ST_OK);
    assert_false(has_checkpoints(&dir, ""));
    assert_int_equal(fixture_shell("cd '%s' && test \"$(find . -type f | sort | tr '\\n' ' ')\" = "
                                   "'./checkpoints/bad-1/step-00000003.h5.bad "
                                   "./checkpoints/bad-1/step-00000003.h5.xxh3.bad.2 "
                                   "./checkpoints/notes.txt ./checkpoints/step-00000001.h5.orig "
                                   "./checkpoints/step-00000001.h5.tmp.mine "
                                   "./checkpoints/step-00000001.h5.xxh3.mine "
                                   "./checkpoints/step-1.h5 ./owner '",
                                   f.folder),
                     0);
    /* A file, not a run's link. */
    fixture_save(fixture_path(&f, "best.h5"), "mine", 4);
    fixture_save(fixture_path(&f, "checkpoints/step-00000003.h5.bad"), "y", 1);
    assert_int_equal(rundir_reset(&dir), ST_OK);
    assert_true(fixture_exists(&f, "best.h5"));
    assert_true(fixture_exists(&f, "checkpoints/bad-2/step-00000003.h5.bad"));
    rundir_close(&dir);
    /* Somebody else's folder. */
    assert_int_equal(mkdir(fixture_path(&f, "other"), 0777), 0);
    fixture_save(fixture_path(&f, "other/metrics.jsonl"), "mine", 4);
    fixture_refused(rundir_open(fixture_path(&f, "other"), &dir), "no run has been there");
    assert_int_equal(fixture_shell("test \"$(ls '%s/other')\" = metrics.jsonl", f.folder), 0);
    fixture_close(&f);
}

static void write_to(Fixture *f, const char *folder, int64_t step) {
    fixture_step(f, step);
    if (checkpoint_write(folder, &f->checkpoint, NULL, NULL) != ST_OK)
        fail_msg("%s", status_message());
}

/* A node's own checkpoints stay until one that came after them is in the run directory, whether a
 * file was named to go on from, or all was to begin anew. */
static void local_checkpoints_outlive_their_branch(void **state) {
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        Fixture f;
        RunDir dir;
        char base[512], first[4096], path[4096];
        fixture_open(&f, 1);
        snprintf(base, sizeof base, "%s", fixture_path(&f, "node"));
        assert_int_equal(rundir_open(fixture_path(&f, "run"), &dir), ST_OK);
        assert_int_equal(rundir_newest(&dir, base, path), ST_OK);
        assert_int_equal(rundir_begin_local(&dir, base), ST_OK);
        assert_false(has_checkpoints(&dir, base));
        write_to(&f, dir.local, 3);
        assert_true(has_checkpoints(&dir, base));
        assert_false(has_checkpoints(&dir, ""));
        snprintf(first, sizeof first, "%s", dir.local);
        rundir_close(&dir);
        /* It is gone on from; then left. */
        assert_int_equal(rundir_open(fixture_path(&f, "run"), &dir), ST_OK);
        assert_int_equal(rundir_newest(&dir, base, path), ST_OK);
        assert_string_equal(dir.local, first);
        assert_int_equal(rundir_begin_local(&dir, base), ST_OK);
        assert_string_equal(dir.local, first);
        rundir_close(&dir);
        assert_int_equal(rundir_open(fixture_path(&f, "run"), &dir), ST_OK);
        if (reset) {
            assert_int_equal(rundir_leave_local(&dir), ST_OK);
            assert_int_equal(rundir_reset(&dir), ST_OK);
            assert_int_equal(rundir_newest(&dir, base, path), ST_OK); /* killed right here */
            assert_string_equal(path, "");
        }
        assert_int_equal(rundir_begin_local(&dir, base), ST_OK);
        assert_string_not_equal(dir.local, first);
        assert_int_equal(fixture_shell("test -e '%s/step-00000003.h5'", first), 0);
        rundir_close(&dir);
        /* A start that comes to nothing, either. */
        assert_int_equal(rundir_open(fixture_path(&f, "run"), &dir), ST_OK);
        assert_int_equal(rundir_newest(&dir, base, path), ST_OK);
        assert_string_equal(path, "");
        assert_int_equal(rundir_begin_local(&dir, base), ST_OK);
        write_to(&f, dir.local, 2);
        assert_int_equal(fixture_shell("test $(ls '%s' | wc -l) -eq 2", base), 0);
        assert_int_equal(rundir_lasts(&dir), ST_OK);
        assert_int_equal(fixture_shell("test $(ls '%s') = '%s' -a -z \"$(ls '%s')\"", base,
                                       strrchr(dir.local, '/') + 1, dir.local),
                         0);
        assert_int_equal(fixture_shell("test \"$(cat '%s/run/local')\" = '%s'", f.folder,
                                       strrchr(dir.local, '/') + 1),
                         0);
        rundir_close(&dir);
        fixture_close(&f);
    }
}

/* Under whatever name it is asked for. */
static void its_own_checkpoint(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(fixture_path(&f, "run"), &dir), ST_OK);
    write_to(&f, dir.checkpoints, 7);
    fixture_shell("cd '%s' && ln -s run/checkpoints/step-00000007.h5 link.h5 && cp link.h5 copy.h5 "
                  "&& mkdir run/checkpoints/aside-0123456789abcdef && "
                  "cp link.h5 run/checkpoints/aside-0123456789abcdef/step-00000007.h5",
                  f.folder);
    assert_true(rundir_holds(&dir, fixture_path(&f, "run/checkpoints/step-00000007.h5"), 7));
    assert_true(rundir_holds(&dir, fixture_path(&f, "run/./checkpoints//step-00000007.h5"), 7));
    assert_true(rundir_holds(&dir, fixture_path(&f, "link.h5"), 7));
    assert_false(rundir_holds(&dir, fixture_path(&f, "copy.h5"), 7));
    assert_false(rundir_holds(
        &dir, fixture_path(&f, "run/checkpoints/aside-0123456789abcdef/step-00000007.h5"), 7));
    assert_false(rundir_holds(&dir, fixture_path(&f, "link.h5"), 8));
    rundir_close(&dir);
    fixture_close(&f);
}

static void best_link(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    char name[256];
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    rundir_best(&dir, name);
    assert_string_equal(name, "");
    assert_int_equal(checkpoint_write(dir.checkpoints, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(rundir_link_best(&dir, "step-00000009.h5"), ST_OK);
    assert_int_equal(rundir_link_best(&dir, "step-00000001.h5"), ST_OK);
    rundir_best(&dir, name);
    assert_string_equal(name, "step-00000001.h5");
    assert_int_equal(checkpoint_verify(fixture_path(&f, "best.h5")), ST_OK);
    rundir_close(&dir);
    fixture_close(&f);
}

static void taking_it_removes_what_the_dead_left(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    char host[64] = "", name[256];
    fixture_open(&f, 1);
    gethostname(host, sizeof host - 1);
    assert_int_equal(mkdir(fixture_path(&f, "checkpoints"), 0777), 0);
    static const char *const dead[] = {"result.json", "checkpoints/step-00000003.h5.xxh3"};
    /* The number of the second has been given to another process since. */
    const long pid[] = {99999999, (long)getppid()};
    for (size_t i = 0; i < sizeof dead / sizeof *dead; i++) {
        snprintf(name, sizeof name, "%s.tmp.%ld.0.0.%s", dead[i], pid[i], host);
        fixture_save(fixture_path(&f, name), "x", 1);
        fixture_save(fixture_path(&f, dead[i]), "x", 1);
    }
    /* Of another host's process: nobody but the owner may write here. And a name that lockstep does
     * not give. */
    fixture_save(fixture_path(&f, "result.json.tmp.99999999.0.0.elsewhere"), "x", 1);
    snprintf(name, sizeof name, "notes.tmp.99999999.0.0.%s", host);
    fixture_save(fixture_path(&f, name), "x", 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_true(fixture_exists(&f, name));
    assert_false(fixture_exists(&f, "result.json.tmp.99999999.0.0.elsewhere"));
    assert_true(fixture_exists(&f, "result.json"));
    assert_true(fixture_exists(&f, "checkpoints/step-00000003.h5.xxh3"));
    assert_int_equal(fixture_shell("test $(find '%s' -name '*.tmp.*' | wc -l) -eq 1", f.folder), 0);
    rundir_close(&dir);
    fixture_close(&f);
}

static void crash_fires_once(void **state) {
    (void)state;
    Fixture f;
    bool first = false;
    fixture_open(&f, 1);
    assert_int_equal(rundir_crash_marker(f.folder, &first), ST_OK);
    assert_true(first);
    assert_int_equal(rundir_crash_marker(f.folder, &first), ST_OK);
    assert_false(first);
    fixture_refused(rundir_crash_marker(fixture_path(&f, "none"), &first), "crash-fired");
    fixture_close(&f);
}

static void config_and_log(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(rundir_write_config(&dir, "seed: 1\n"), ST_OK);
    assert_int_equal(rundir_write_config(&dir, "seed: 2\n"), ST_OK);
    char *text = fixture_load(fixture_path(&f, "config.yaml"), &size);
    assert_string_equal(text, "seed: 2\n");
    free(text);
    fixture_save(fixture_path(&f, "log.txt"), "old\n", 4);
    assert_int_equal(rundir_open_log(&dir), ST_OK);
    assert_int_equal(write(dir.log_fd, "new\n", 4), 4);
    text = fixture_load(fixture_path(&f, "log.txt"), &size);
    assert_string_equal(text, "old\nnew\n");
    free(text);
    rundir_close(&dir);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_parents),
        cmocka_unit_test(one_holder),
        cmocka_unit_test(best_link),
        cmocka_unit_test(local_checkpoints_outlive_their_branch),
        cmocka_unit_test(its_own_checkpoint),
        cmocka_unit_test(reset_removes_what_a_run_left),
        cmocka_unit_test(crash_fires_once),
        cmocka_unit_test(config_and_log),
        cmocka_unit_test(taking_it_removes_what_the_dead_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
