/* A folder of checkpoints: nothing good is replaced, the newest good one is found, and what is bad
 * or cannot be looked at stays. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint_checks.h"

static void good_files_are_never_replaced(void **state) {
    (void)state;
    Fixture f;
    size_t size, size2;
    fixture_open(&f, 4);
    checkpoint_write_step(&f, 4);
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path(&f, "step-00000004.h5"));
    char *first = fixture_load(path, &size);
    /* The same state again: success, the same file. */
    assert_int_equal(fixture_shell("touch -d @1000 '%s'", path), 0);
    checkpoint_write_step(&f, 4);
    assert_int_equal(fixture_shell("test $(stat -c %%Y '%s') -eq 1000", path), 0);
    /* Another state of the same step: refused. */
    f.checkpoint.weight[0] += 1;
    fixture_refused(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL), "another state");
    char *second = fixture_load(path, &size2);
    assert_int_equal(size, size2);
    assert_memory_equal(first, second, size);
    assert_int_equal(checkpoint_verify(path), ST_OK);
    f.checkpoint.weight[0] -= 1;
    /* The same state, with another history, end, counter, setting or lineage: not the same file. */
    RunState *s = &f.checkpoint.state;
    for (int part = 0; part < 7; part++) {
        double loss = f.history[1].test_loss, best = s->best_loss;
        f.history[1].test_loss += part == 0;
        s->finished = part != 1;
        s->without_better += part == 2;
        s->best_loss += part == 3;
        s->log_correct += part == 4;
        f.checkpoint.config = part == 5 ? "seed: 2\n" : FIXTURE_CONFIG;
        f.checkpoint.lineage = part == 6 ? "0123456789abcdef@0" : NULL;
        fixture_refused(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL),
                        "another history, lineage or configuration");
        f.history[1].test_loss = loss;
        s->finished = true;
        s->without_better -= part == 2;
        s->best_loss = best;
        s->log_correct -= part == 4;
    }
    f.checkpoint.config = FIXTURE_CONFIG;
    f.checkpoint.lineage = NULL;
    checkpoint_write_step(&f, 4);
    f.checkpoint.weight[0] += 1;
    /* A damaged one: moved away, written anew. */
    checkpoint_flip(path, size / 2);
    assert_int_equal(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(checkpoint_verify(path), ST_OK);
    assert_true(fixture_exists(&f, "step-00000004.h5.bad"));
    assert_true(fixture_exists(&f, "step-00000004.h5.xxh3.bad"));
    /* A sidecar that a killed writer left: harmless. */
    fixture_save(fixture_path(&f, "step-00000006.h5.xxh3"), "stale\n", 6);
    checkpoint_write_step(&f, 6);
    assert_int_equal(checkpoint_verify(fixture_path(&f, "step-00000006.h5")), ST_OK);
    assert_int_equal(fixture_shell("ls '%s' | grep -q tmp", f.folder), 1);
    free(first);
    free(second);
    fixture_close(&f);
}

static void newest_passes_over_the_bad(void **state) {
    (void)state;
    Fixture f;
    char path[4096];
    fixture_open(&f, 1);
    assert_int_equal(checkpoint_newest(fixture_path(&f, "nothing"), true, NULL, path), ST_OK);
    assert_string_equal(path, "");
    assert_int_equal(checkpoint_newest(f.folder, true, NULL, path), ST_OK);
    assert_string_equal(path, "");
    for (int64_t step = 1; step <= 3; step++)
        checkpoint_write_step(&f, step);
    fixture_save(fixture_path(&f, "step-00000009.h5.tmp.1.0.0.elsewhere"), "x", 1);
    fixture_save(fixture_path(&f, "step-9.h5"), "x", 1); /* not a checkpoint's name */
    checkpoint_flip(fixture_path(&f, "step-00000003.h5"), 6000);
    /* Others may look, but not rename. */
    assert_int_equal(checkpoint_newest(f.folder, false, NULL, path), ST_OK);
    assert_string_equal(path, fixture_path(&f, "step-00000002.h5"));
    assert_true(fixture_exists(&f, "step-00000003.h5"));
    assert_int_equal(checkpoint_newest(f.folder, true, NULL, path), ST_OK);
    assert_string_equal(path, fixture_path(&f, "step-00000002.h5"));
    assert_false(fixture_exists(&f, "step-00000003.h5"));
    assert_true(fixture_exists(&f, "step-00000003.h5.bad"));
    checkpoint_flip(fixture_path(&f, "step-00000002.h5"), 6000);
    assert_int_equal(truncate(fixture_path(&f, "step-00000001.h5"), 100), 0);
    fixture_refused(checkpoint_newest(f.folder, true, NULL, path), "no good one");
    assert_string_equal(path, "");
    /* Bad ones still stand against a fresh start. */
    fixture_refused(checkpoint_newest(f.folder, true, NULL, path), "no good one");
    fixture_close(&f);
}

/* Not to be read by this user, now, here: no word about the bytes. As root a folder in the place of
 * the checksum file, and of the file, does the same. */
static void what_cannot_be_looked_at_stays(void **state) {
    (void)state;
    Fixture f;
    static const CheckpointKeep two = {.newest = 2};
    char path[4096], file[512], sidecar[600];
    fixture_open(&f, 1);
    for (int64_t step = 1; step <= 3; step++)
        checkpoint_write_step(&f, step);
    snprintf(file, sizeof file, "%s", fixture_path(&f, "step-00000003.h5"));
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", file);
    const char *const hidden[] = {sidecar, file};
    for (int i = 0; i < 2; i++) {
        for (int how = 0; how < 2; how++) {
            fixture_shell("mv '%s' '%s/kept'; %s '%s'", hidden[i], f.folder,
                          how ? "mkfifo" : "mkdir", hidden[i]);
            assert_int_equal(checkpoint_look(file), CHECKPOINT_UNSEEN);
            fixture_refused(checkpoint_verify(file), "is not a regular file");
            fixture_refused(checkpoint_newest(f.folder, true, NULL, path), "stays as it is");
            fixture_refused(checkpoint_newest(f.folder, true, NULL, path), hidden[i]);
            fixture_step(&f, 3);
            fixture_refused(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL),
                            "stays as it is");
            /* It does not count, and an older one is kept in its place. */
            assert_int_equal(checkpoint_prune(f.folder, &two, NULL, NULL), ST_OK);
            assert_int_equal(fixture_shell("test $(ls '%s'/step-*.h5 -d | wc -l) -eq 3", f.folder),
                             0);
            assert_int_equal(
                fixture_shell("rm -r '%s' && mv '%s/kept' '%s'", hidden[i], f.folder, hidden[i]),
                0);
            assert_int_equal(checkpoint_look(file), CHECKPOINT_GOOD);
        }
    }
    assert_int_equal(fixture_shell("ls '%s' | grep -q bad", f.folder), 1);
    assert_int_equal(checkpoint_look(fixture_path(&f, "none.h5")), CHECKPOINT_GONE);
    status_clear();
    fixture_close(&f);
}

static void a_branch_has_files_of_its_own(void **state) {
    (void)state;
    static const char *const lineages[] = {"", "00000000000000aa@0", "00000000000000aa@0",
                                           "00000000000000aa@0 00000000000000bb@2",
                                           "00000000000000aa@0"};
    static const struct {
        const char *lineage;
        int64_t newest;
    } cases[] = {{NULL, 4},
                 {"00000000000000aa@0", 4},
                 {"00000000000000aa@0 00000000000000bb@2", 3},
                 {"00000000000000aa@0 00000000000000cc@2", 2},
                 {"00000000000000cc@1", 0},
                 {"00000000000000cc@0", 0}};
    Fixture f;
    char path[4096], name[64];
    int where;
    fixture_open(&f, 1);
    CheckpointPlace place = {.folder = f.folder};
    for (int64_t step = 1; step <= 4; step++) {
        f.checkpoint.lineage = lineages[step];
        checkpoint_write_step(&f, step);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(checkpoint_search(&place, 1, true, cases[i].lineage, path, &where), ST_OK);
        snprintf(name, sizeof name, "step-%08" PRId64 ".h5", cases[i].newest);
        assert_string_equal(path, cases[i].newest ? fixture_path(&f, name) : "");
        assert_int_equal(place.bad, cases[i].newest != 4);
        assert_int_equal(where, cases[i].newest ? 0 : -1);
    }
    /* Under another's name. */
    assert_int_equal(fixture_shell("cd '%s' && cp step-00000004.h5 step-00000007.h5 && cp "
                                   "step-00000004.h5.xxh3 step-00000007.h5.xxh3",
                                   f.folder),
                     0);
    fixture_refused(checkpoint_verify(fixture_path(&f, "step-00000007.h5")),
                    "holds step 4 under the name of another");
    fixture_close(&f);
}

/* A second bad file of one name does not take the first one's place. */
static void bad_files_are_all_kept(void **state) {
    (void)state;
    Fixture f;
    char path[4096];
    fixture_open(&f, 1);
    checkpoint_write_step(&f, 1);
    for (int i = 0; i < 3; i++) {
        checkpoint_write_step(&f, 2);
        checkpoint_flip(fixture_path(&f, "step-00000002.h5"), (size_t)(6000 + i));
        assert_int_equal(checkpoint_newest(f.folder, true, NULL, path), ST_OK);
    }
    assert_int_equal(fixture_shell("cd '%s' && test -e step-00000002.h5.bad -a -e "
                                   "step-00000002.h5.bad.2 -a -e step-00000002.h5.bad.3 -a -e "
                                   "step-00000002.h5.xxh3.bad.3",
                                   f.folder),
                     0);
    fixture_close(&f);
}

/* Of several folders the newest one counts: what is older cannot stand in its way. */
static void newest_of_two_folders(void **state) {
    (void)state;
    Fixture f;
    char path[4096], folders[2][600];
    int where;
    fixture_open(&f, 1);
    CheckpointPlace places[] = {{.folder = folders[0]}, {.folder = folders[1]}};
    for (int i = 0; i < 2; i++) {
        snprintf(folders[i], sizeof folders[i], "%s", fixture_path(&f, i ? "b" : "a"));
        assert_int_equal(mkdir(folders[i], 0777), 0);
    }
    static const int64_t steps[] = {1, 4, 2, 3, 5}; /* in turn into a and b */
    for (int i = 0; i < 5; i++) {
        fixture_step(&f, steps[i]);
        assert_int_equal(checkpoint_write(folders[i % 2], &f.checkpoint, NULL, NULL), ST_OK);
    }
    assert_int_equal(checkpoint_search(places, 2, true, NULL, path, &where), ST_OK);
    assert_string_equal(path, fixture_path(&f, "a/step-00000005.h5"));
    assert_int_equal(where, 0);
    checkpoint_flip(path, 6000);
    /* Neither a's 2 nor b's 3 can be looked at. */
    fixture_shell("cd '%s' && rm a/step-00000002.h5.xxh3 b/step-00000003.h5.xxh3 && "
                  "mkdir a/step-00000002.h5.xxh3 b/step-00000003.h5.xxh3",
                  f.folder);
    assert_int_equal(checkpoint_search(places, 2, true, NULL, path, &where), ST_OK);
    assert_string_equal(path, fixture_path(&f, "b/step-00000004.h5"));
    assert_int_equal(where, 1);
    assert_true(places[0].bad && !places[1].bad);
    checkpoint_flip(path, 6000);
    fixture_refused(checkpoint_search(places, 2, true, NULL, path, &where), "step-00000003.h5");
    assert_int_equal(where, -1);
    fixture_close(&f);
}

static void best_link_is_followed(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, 1);
    checkpoint_write_step(&f, 1);
    assert_int_equal(symlink("step-00000001.h5", fixture_path(&f, "best.h5")), 0);
    assert_int_equal(checkpoint_verify(fixture_path(&f, "best.h5")), ST_OK);
    fixture_refused(checkpoint_verify(fixture_path(&f, "none.h5")), "No such file");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_never_replaced),
        cmocka_unit_test(newest_passes_over_the_bad),
        cmocka_unit_test(what_cannot_be_looked_at_stays),
        cmocka_unit_test(bad_files_are_all_kept),
        cmocka_unit_test(a_branch_has_files_of_its_own),
        cmocka_unit_test(newest_of_two_folders),
        cmocka_unit_test(best_link_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
