/* What checkpoints a folder keeps, which go, and that none goes without leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint_checks.h"

static void prune_keeps_good_ones_and_the_best(void **state) {
    (void)state;
    Fixture f;
    char temporary[256], host[64] = "";
    int64_t removed;
    fixture_open(&f, 1);
    for (int64_t step = 1; step <= 6; step++)
        checkpoint_write_step(&f, step);
    gethostname(host, sizeof host - 1);
    /* Of a dead process of this host (no pid is so large), of a living one, of another host. */
    snprintf(temporary, sizeof temporary, "step-00000007.h5.tmp.99999999.0.0.%s", host);
    fixture_save(fixture_path(&f, temporary), "x", 1);
    fixture_save(fixture_path(&f, "step-00000007.h5.xxh3"), "x", 1);
    snprintf(temporary, sizeof temporary, "step-00000008.h5.tmp.1.0.0.%s", host);
    fixture_save(fixture_path(&f, temporary), "x", 1);
    fixture_save(fixture_path(&f, "step-00000009.h5.tmp.99999999.0.0.elsewhere"), "x", 1);
    /* Of this very job before its restart, on a node that may be out of reach; and of another job.
     */
    fixture_save(fixture_path(&f, "step-00000010.h5.tmp.1.77.1.elsewhere"), "x", 1);
    fixture_save(fixture_path(&f, "step-00000010.h5.tmp.1.78.1.elsewhere"), "x", 1);
    checkpoint_flip(fixture_path(&f, "step-00000005.h5"), 6000);
    setenv("SLURM_JOB_ID", "77", 1);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    const RunState best = {.best_step = 1};
    const CheckpointKeep keep = {.newest = 2, .best = 1, .state = &best};
    assert_int_equal(checkpoint_prune(f.folder, &keep, NULL, &removed), ST_OK);
    assert_int_equal(removed, 2);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
    /* Two good ones: 6 and 4, for 5 is bad and does not count; 1 is the best. */
    static const char *const stay[] = {"step-00000006.h5",
                                       "step-00000006.h5.xxh3",
                                       "step-00000004.h5",
                                       "step-00000004.h5.xxh3",
                                       "step-00000001.h5",
                                       "step-00000001.h5.xxh3",
                                       "step-00000005.h5.bad",
                                       "step-00000005.h5.xxh3.bad",
                                       "step-00000009.h5.tmp.99999999.0.0.elsewhere",
                                       "step-00000010.h5.tmp.1.78.1.elsewhere"};
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        assert_true(fixture_exists(&f, stay[i]));
    assert_true(fixture_exists(&f, temporary));
    assert_int_equal(fixture_shell("test $(ls -A '%s' | wc -l) -eq 11", f.folder), 0);
    fixture_close(&f);
}

/* So many of the best as are there: 5 is gone, so 1 is one of three. */
static void the_best_stay(void **state) {
    (void)state;
    const RunState ranks = {
        .best_step = 2,
        .runners_up = {5, {{5, 0.6, 1}, {3, 0.5, 1}, {1, 0.4, 1}, {7, 0.3, 1}, {6, 0.2, 1}}}};
    CheckpointKeep keep = {.newest = 1, .best = 3, .state = &ranks};
    Fixture f;
    int64_t removed;
    fixture_open(&f, 1);
    for (int64_t step = 1; step <= 8; step++)
        checkpoint_write_step(&f, step);
    fixture_shell("rm '%s/step-00000005.h5'", f.folder);
    assert_int_equal(checkpoint_prune(f.folder, &keep, NULL, &removed), ST_OK);
    assert_int_equal(removed, 3);
    assert_int_equal(fixture_shell("test \"$(cd '%s' && echo step-*.h5)\" = 'step-00000001.h5 "
                                   "step-00000002.h5 step-00000003.h5 step-00000008.h5'",
                                   f.folder),
                     0);
    keep.best = 1;
    assert_int_equal(checkpoint_prune(f.folder, &keep, NULL, &removed), ST_OK);
    assert_int_equal(fixture_shell("test \"$(cd '%s' && echo step-*.h5)\" = 'step-00000002.h5 "
                                   "step-00000008.h5'",
                                   f.folder),
                     0);
    fixture_close(&f);
}

/* Files of other branches neither go nor stand in for the branch's own; an old one that is bad, or
 * that cannot be looked at, stays as well. */
static void prune_is_about_one_branch(void **state) {
    (void)state;
    static const char *const of[] = {"", "a", "a", "a", "a", "b", "b", "a", "a"};
    const RunState best = {.best_step = 2};
    const CheckpointKeep keep = {
        .newest = 2, .lineage = "00000000000000aa@0", .best = 1, .state = &best};
    const CheckpointKeep none = {.newest = 0};
    Fixture f;
    char file[512];
    int64_t removed;
    fixture_open(&f, 1);
    for (int64_t step = 1; step <= 8; step++) {
        f.checkpoint.lineage = *of[step] == 'a' ? "00000000000000aa@0" : "00000000000000bb@0";
        checkpoint_write_step(&f, step);
    }
    snprintf(file, sizeof file, "%s", fixture_path(&f, "step-00000003.h5"));
    checkpoint_flip(file, 6000);
    fixture_shell("rm '%s/step-00000004.h5' && mkdir '%s/step-00000004.h5'", f.folder, f.folder);
    assert_int_equal(checkpoint_prune(f.folder, &keep, NULL, &removed), ST_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(fixture_shell("test \"$(cd '%s' && echo step-*.h5 step-*.h5.bad)\" = "
                                   "'step-00000002.h5 step-00000004.h5 step-00000005.h5 "
                                   "step-00000006.h5 step-00000007.h5 step-00000008.h5 "
                                   "step-00000003.h5.bad'",
                                   f.folder),
                     0);
    fixture_shell("rmdir '%s/step-00000004.h5'", f.folder);
    assert_int_equal(checkpoint_prune(f.folder, &none, NULL, &removed), ST_OK);
    assert_int_equal(removed, 5);
    fixture_close(&f);
}

static Status nobody_may(void *context) {
    ++*(int *)context;
    return FAIL(ST_CHECKPOINT, "not yours any more");
}

static void nothing_is_removed_without_leave(void **state) {
    (void)state;
    Fixture f;
    int asked = 0;
    CheckpointGate closed = {nobody_may, &asked};
    fixture_open(&f, 1);
    for (int64_t step = 1; step <= 4; step++)
        checkpoint_write_step(&f, step);
    CheckpointKeep keep = {.newest = 2};
    fixture_refused(checkpoint_prune(f.folder, &keep, &closed, NULL), "not yours");
    checkpoint_flip(fixture_path(&f, "step-00000004.h5"), 6000);
    keep.newest = 3;
    fixture_refused(checkpoint_prune(f.folder, &keep, &closed, NULL), "not yours");
    fixture_step(&f, 4);
    fixture_refused(checkpoint_write(f.folder, &f.checkpoint, &closed, NULL), "not yours");
    assert_int_equal(asked, 3);
    assert_int_equal(fixture_shell("test $(ls -A '%s' | grep -vc bad) -eq 8", f.folder), 0);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prune_keeps_good_ones_and_the_best),
        cmocka_unit_test(prune_is_about_one_branch),
        cmocka_unit_test(the_best_stay),
        cmocka_unit_test(nothing_is_removed_without_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
