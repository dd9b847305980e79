/* The writer's thread: snapshots are copies, hooks run in order, failures are counted, waits end.
 */
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io_fixture.h"
#include "lockstep/clock.h"
#include "lockstep/writer.h"

typedef struct Hooks {
    atomic_int before, after, best, lasting;
    atomic_bool fail, fail_after, fail_lasts;
    _Atomic double slow_s;              /* a write takes so long */
    atomic_int questions, yes, refused; /* of `allowed`: asked, answered by yes, told to `failed` */
    pthread_mutex_t gate;               /* held by a test to keep a write from going on */
    char best_name[256];
    const Checkpoint *device; /* its arrays play the state in a device's memory */
    Checkpoint aside;         /* its arrays, what was set aside there */
    atomic_int taken, fetched;
} Hooks;

/* The caller's own until the next call. */
static const Deadline *within(double seconds) {
    static Deadline deadline;
    deadline = deadline_after(seconds);
    return &deadline;
}

static Status before(void *context, int64_t step) {
    Hooks *hooks = context;
    clock_sleep(hooks->slow_s);
    pthread_mutex_lock(&hooks->gate);
    pthread_mutex_unlock(&hooks->gate);
    hooks->before++;
    return hooks->fail ? FAIL(ST_CHECKPOINT, "no metrics at step %" PRId64, step) : ST_OK;
}

static Status after(void *context, int64_t step, const char *name, bool is_best) {
    Hooks *hooks = context;
    char expected[64];
    snprintf(expected, sizeof expected, "step-%08" PRId64 ".h5", step);
    if (strcmp(name, expected) != 0 || hooks->before <= hooks->after)
        return FAIL(ST_INTERNAL, "hooks out of order");
    hooks->after++;
    if (hooks->fail_after)
        return FAIL(ST_CHECKPOINT, "no link at step %" PRId64, step);
    if (is_best)
        snprintf(hooks->best_name, sizeof hooks->best_name, "%s", name);
    return ST_OK;
}

static Status lasts(void *context) {
    Hooks *hooks = context;
    hooks->lasting++;
    return hooks->fail_lasts ? FAIL(ST_CHECKPOINT, "older ones cannot go") : ST_OK;
}

static Status allowed(void *context) {
    Hooks *hooks = context;
    if (hooks->questions++ < hooks->yes)
        return ST_OK;
    return FAIL(ST_CHECKPOINT, "the folder is another's");
}

static void failed(void *context) {
    Hooks *hooks = context;
    if (strstr(status_message(), "another's"))
        hooks->refused++;
}

static void copy_arrays(const Checkpoint *to, const Checkpoint *from) {
    size_t bytes = (size_t)to->model->flat * sizeof(float);
    memcpy(to->weight, from->weight, bytes);
    memcpy(to->ema, from->ema, bytes);
    for (int i = 0; i < to->n_slots; i++)
        memcpy(to->slot[i], from->slot[i], bytes);
    memcpy(to->running, from->running, (size_t)to->model->running_flat * sizeof(float));
}

static Status take(void *context) {
    Hooks *hooks = context;
    copy_arrays(&hooks->aside, hooks->device);
    hooks->taken++;
    return ST_OK;
}

static Status fetch(void *context, const Checkpoint *to) {
    Hooks *hooks = context;
    pthread_mutex_lock(&hooks->gate);
    pthread_mutex_unlock(&hooks->gate);
    copy_arrays(to, &hooks->aside);
    hooks->fetched++;
    return hooks->before < hooks->fetched ? ST_OK : FAIL(ST_INTERNAL, "hooks out of order");
}

static void open_all(Fixture *f, Hooks *hooks, int64_t keep, Writer **writer) {
    fixture_open(f, 1);
    memset(hooks, 0, sizeof *hooks);
    hooks->yes = INT_MAX;
    pthread_mutex_init(&hooks->gate, NULL);
    WriterHooks table = {.before = before,
                         .after = after,
                         .lasts = lasts,
                         .allowed = allowed,
                         .failed = failed,
                         .context = hooks};
    assert_int_equal(writer_start(f->folder, NULL, keep, 1, &f->checkpoint, table, writer), ST_OK);
}

/* A folder that is another's is left as it was, whenever that is found out. */
static void asks_before_it_changes_anything(void **state) {
    enum { QUESTIONS = 4 }; /* at the start, before the commit, about each of the two files kept */
    (void)state;
    for (int yes = 0; yes <= QUESTIONS; yes++) {
        Fixture f;
        Hooks hooks;
        Writer *writer;
        open_all(&f, &hooks, 1, &writer);
        for (int64_t step = 1; step <= 2; step++) {
            fixture_step(&f, step);
            f.checkpoint.state.best_step = -1;
            hooks.questions = 0;
            hooks.yes = step == 1 ? INT_MAX : yes;
            assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
            Status status = writer_flush(writer, within(30));
            assert_int_equal(status, step == 2 && yes < QUESTIONS ? ST_CHECKPOINT : ST_OK);
            status_clear();
        }
        /* Once more where files could not be removed: whether that is why. */
        assert_int_equal(hooks.questions, yes < QUESTIONS ? yes + 1 + (yes >= 2) : QUESTIONS);
        assert_int_equal(hooks.refused, yes < QUESTIONS);
        assert_int_equal(fixture_exists(&f, "step-00000001.h5"), yes < QUESTIONS);
        assert_int_equal(fixture_exists(&f, "step-00000002.h5"), yes >= 2);
        assert_int_equal(fixture_shell("ls '%s' | grep -q tmp", f.folder), 1);
        writer_stop(writer);
        fixture_close(&f);
    }
}

static void snapshots_are_copies(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    open_all(&f, &hooks, 3, &writer);
    uint64_t hash[6];
    for (int64_t step = 1; step <= 5; step++) {
        fixture_step(&f, step);
        assert_int_equal(checkpoint_state_hash(&f.checkpoint, &hash[step]), ST_OK);
        f.checkpoint.state.best_step = 1;
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        /* Training goes on while the file is written. */
        memset(f.checkpoint.weight, 0x11, (size_t)f.model.flat * sizeof(float));
        memset(f.history, 0x11, sizeof f.history);
    }
    assert_int_equal(writer_flush(writer, within(30)), ST_OK);
    assert_int_equal(writer_failed(writer), ST_OK);
    assert_int_equal(hooks.after, 5);
    /* Three newest and the best. */
    assert_int_equal(fixture_shell("test $(ls '%s'/*.h5 | wc -l) -eq 4", f.folder), 0);
    static const int64_t stay[] = {1, 3, 4, 5};
    for (size_t i = 0; i < 4; i++) {
        Checkpoint meta;
        char name[64];
        snprintf(name, sizeof name, "step-%08" PRId64 ".h5", stay[i]);
        assert_int_equal(checkpoint_read_meta(fixture_path(&f, name), &meta), ST_OK);
        assert_true(meta.state_hash == hash[stay[i]]);
        assert_int_equal(meta.state.n_history, 3);
        assert_true(meta.state.history[2].train_loss == 0.25);
        checkpoint_meta_free(&meta);
    }
    writer_stop(writer);
    fixture_close(&f);
}

/* Arrays that a device sets aside are brought over while training goes on, and are not set aside
 * anew before that is done. */
static void fetches_while_training_goes_on(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    Checkpoint meta;
    uint64_t hash;
    open_all(&f, &hooks, 3, &writer);
    writer_stop(writer);
    hooks.device = &f.checkpoint;
    hooks.aside = fixture_empty(&f);
    WriterHooks table = {.take = take, .fetch = fetch, .before = before, .context = &hooks};
    assert_int_equal(writer_start(f.folder, NULL, 3, 1, &f.checkpoint, table, &writer), ST_OK);
    for (int64_t step = 1; step <= 2; step++) {
        fixture_step(&f, step);
        assert_int_equal(checkpoint_state_hash(&f.checkpoint, &hash), ST_OK);
        pthread_mutex_lock(&hooks.gate);
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        assert_int_equal(hooks.taken, step);
        assert_int_equal(hooks.fetched, step - 1);
        assert_true(writer_is_busy(writer));
        memset(f.checkpoint.weight, 0x11, (size_t)f.model.flat * sizeof(float)); /* training */
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(0.1)), ST_DEADLINE);
        status_clear();
        assert_int_equal(hooks.taken, step);
        pthread_mutex_unlock(&hooks.gate);
        assert_int_equal(writer_flush(writer, within(30)), ST_OK);
        assert_int_equal(hooks.fetched, step);
        assert_false(writer_is_busy(writer));
        char name[64];
        snprintf(name, sizeof name, "step-%08" PRId64 ".h5", step);
        assert_int_equal(checkpoint_read_meta(fixture_path(&f, name), &meta), ST_OK);
        assert_true(meta.state_hash == hash);
        assert_int_equal(checkpoint_verify(fixture_path(&f, name)), ST_OK);
        checkpoint_meta_free(&meta);
    }
    writer_stop(writer);
    fixture_free_arrays(&hooks.aside);
    fixture_close(&f);
}

/* A checkpoint that need not last goes to the node's folder, and is no word that older ones may go;
 * each folder is pruned by what the state says is the best. */
static void some_need_not_last(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    char local[512];
    open_all(&f, &hooks, 1, &writer);
    writer_stop(writer);
    snprintf(local, sizeof local, "%s", fixture_path(&f, "local"));
    assert_int_equal(fixture_shell("mkdir '%s'", local), 0);
    WriterHooks table = {.before = before, .after = after, .lasts = lasts, .context = &hooks};
    assert_int_equal(writer_start(f.folder, local, 1, 1, &f.checkpoint, table, &writer), ST_OK);
    for (int64_t step = 1; step <= 4; step++) {
        fixture_step(&f, step);
        f.checkpoint.state.best_step = 1;
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, step != 3, within(30)), ST_OK);
        assert_int_equal(writer_flush(writer, within(30)), ST_OK);
        assert_int_equal(hooks.lasting, step < 3 ? step : step - 1);
    }
    assert_int_equal(fixture_shell("test \"$(cd '%s' && echo *.h5 local/*.h5)\" = "
                                   "'step-00000001.h5 step-00000004.h5 local/step-00000003.h5'",
                                   f.folder),
                     0);
    writer_stop(writer);
    fixture_close(&f);
}

static void history_grows(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    HistoryEntry *history = calloc(1000, sizeof *history);
    open_all(&f, &hooks, 1, &writer);
    f.checkpoint.state.history = history;
    f.checkpoint.steps_per_epoch = 1;
    for (int64_t i = 0; i < 1000; i++)
        history[i].epoch = history[i].step = i + 1;
    for (int64_t n = 1; n <= 1000; n *= 10) {
        f.checkpoint.state.n_history = n;
        f.checkpoint.state.step = n;
        f.checkpoint.state.epoch = n;
        f.checkpoint.state.position = 0;
        f.checkpoint.state.epoch_images = f.checkpoint.state.epoch_correct = 0;
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    }
    assert_int_equal(writer_flush(writer, within(30)), ST_OK);
    Checkpoint meta;
    assert_int_equal(checkpoint_read_meta(fixture_path(&f, "step-00001000.h5"), &meta), ST_OK);
    assert_int_equal(meta.state.history[999].epoch, 1000);
    checkpoint_meta_free(&meta);
    writer_stop(writer);
    free(history);
    fixture_close(&f);
}

static void two_failures_in_a_row_count(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    double seconds, cpu, last;
    open_all(&f, &hooks, 3, &writer);
    hooks.fail = true;
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    fixture_refused(writer_flush(writer, within(30)), "no metrics at step 1");
    assert_int_equal(writer_failed(writer), ST_OK); /* one is a warning */
    assert_int_equal(writer_written(writer, &seconds, &cpu), 0);
    hooks.fail = false;
    fixture_step(&f, 2);
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    assert_int_equal(writer_flush(writer, within(30)), ST_OK);
    assert_int_equal(writer_written(writer, &seconds, &cpu), 1);
    assert_true(seconds > 0 && cpu > 0);
    hooks.fail = true;
    for (int64_t step = 3; step <= 4; step++) {
        assert_int_equal(writer_failed(writer), ST_OK);
        fixture_step(&f, step);
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        fixture_refused(writer_flush(writer, within(30)), "no metrics");
    }
    fixture_refused(writer_failed(writer), "no metrics at step 4");
    assert_int_equal(writer_written(writer, &last, &cpu), 1);
    assert_true(last == seconds); /* of the good one */
    /* The good one is untouched. */
    assert_int_equal(checkpoint_verify(fixture_path(&f, "step-00000002.h5")), ST_OK);
    writer_stop(writer);
    fixture_close(&f);
}

/* What fails after the commit leaves a file that is there, and is known to be. */
static void what_is_committed_is_known(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    char path[4096];
    open_all(&f, &hooks, 3, &writer);
    writer_committed(writer, path);
    assert_string_equal(path, "");
    hooks.fail_after = true;
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    fixture_refused(writer_flush(writer, within(30)), "no link at step 1");
    writer_committed(writer, path);
    assert_string_equal(path, fixture_path(&f, "step-00000001.h5"));
    hooks.fail_after = false;
    hooks.fail = true;
    fixture_step(&f, 2);
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    fixture_refused(writer_flush(writer, within(30)), "no metrics at step 2");
    writer_committed(writer, path);
    assert_string_equal(path, fixture_path(&f, "step-00000001.h5"));
    writer_stop(writer);
    fixture_close(&f);
}

/* Older files that stay are no failed write, however often, unless the folder is another's. */
static void older_files_may_stay(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    char path[4096];
    open_all(&f, &hooks, 3, &writer);
    hooks.fail_lasts = true;
    for (int64_t step = 1; step <= 3; step++) {
        fixture_step(&f, step);
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        assert_int_equal(writer_flush(writer, within(30)), ST_OK);
        assert_int_equal(writer_failed(writer), ST_OK);
        assert_int_equal(hooks.lasting, step);
    }
    writer_committed(writer, path);
    assert_string_equal(path, fixture_path(&f, "step-00000003.h5"));
    fixture_step(&f, 4);
    hooks.questions = 0;
    hooks.yes = 6; /* at the start, before the commit, about each of the four files */
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    fixture_refused(writer_flush(writer, within(30)), "another's");
    assert_int_equal(hooks.questions, 7);
    writer_stop(writer);
    fixture_close(&f);
}

/* No later state can stand in for the best one: what could not be written is written first. */
static void the_best_is_written_again(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    Checkpoint meta;
    uint64_t hash;
    open_all(&f, &hooks, 1, &writer);
    for (int best = 0; best <= 1; best++) {
        int64_t step = best ? 11 : 1;
        fixture_step(&f, step);
        f.checkpoint.state.best_step = best ? step : 0;
        assert_int_equal(checkpoint_state_hash(&f.checkpoint, &hash), ST_OK);
        hooks.fail = true;
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        fixture_refused(writer_flush(writer, within(30)), "no metrics");
        hooks.fail = false;
        fixture_step(&f, step + 1);
        f.checkpoint.state.best_step = best ? step : 0;
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        assert_int_equal(writer_flush(writer, within(30)), ST_OK);
        assert_int_equal(fixture_exists(&f, "step-00000001.h5"), false);
    }
    assert_string_equal(hooks.best_name, "step-00000011.h5");
    assert_int_equal(checkpoint_read_meta(fixture_path(&f, "step-00000011.h5"), &meta), ST_OK);
    assert_true(meta.state_hash == hash);
    checkpoint_meta_free(&meta);
    writer_stop(writer);
    fixture_close(&f);
}

/* So is the second best, 2, where two are kept; the fourth, 4, is not. */
static void one_of_the_best_is_written_again(void **state) {
    (void)state;
    static const Evaluated behind[] = {{2, 0.6, 1.5}, {3, 0.5, 1.5}, {4, 0.4, 1.5}};
    Fixture f;
    Hooks hooks;
    Writer *writer;
    double seconds, cpu;
    fixture_open(&f, 1);
    memset(&hooks, 0, sizeof hooks);
    pthread_mutex_init(&hooks.gate, NULL);
    WriterHooks table = {.before = before, .context = &hooks};
    assert_int_equal(writer_start(f.folder, NULL, 1, 2, &f.checkpoint, table, &writer), ST_OK);
    for (int64_t step = 1; step <= 5; step++) {
        fixture_step(&f, step);
        f.checkpoint.state.best_step = 1;
        f.checkpoint.state.runners_up.n = step < 5 ? step - 1 : 3;
        memcpy(f.checkpoint.state.runners_up.at, behind, sizeof behind);
        hooks.fail = step == 2 || step == 4;
        assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
        (void)writer_flush(writer, within(30));
        status_clear();
    }
    assert_int_equal(writer_written(writer, &seconds, &cpu), 4); /* 1, 2, 3 and 5 */
    assert_int_equal(fixture_shell("test \"$(cd '%s' && echo step-*.h5)\" = 'step-00000001.h5 "
                                   "step-00000002.h5 step-00000005.h5'",
                                   f.folder),
                     0);
    writer_stop(writer);
    fixture_close(&f);
}

static void waits_have_deadlines(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    open_all(&f, &hooks, 3, &writer);
    pthread_mutex_lock(&hooks.gate);
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    double start = clock_now();
    assert_int_equal(writer_flush(writer, within(0.1)), ST_DEADLINE);
    assert_non_null(strstr(status_message(), "step 1 "));
    status_clear();
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(0.1)), ST_DEADLINE);
    status_clear();
    assert_true(clock_now() - start >= 0.19);
    pthread_mutex_unlock(&hooks.gate);
    assert_int_equal(writer_flush(writer, within(30)), ST_OK);
    writer_stop(writer);
    fixture_close(&f);
}

/* That the best state is written again first does not make the wait longer. */
static void two_writes_have_one_deadline(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    open_all(&f, &hooks, 3, &writer);
    f.checkpoint.state.best_step = 1;
    hooks.fail = true;
    hooks.slow_s = 0.6;
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    fixture_step(&f, 2);
    f.checkpoint.state.best_step = 1;
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(0.9)), ST_DEADLINE);
    status_clear();
    hooks.fail = false;
    hooks.slow_s = 0;
    (void)writer_flush(writer, within(30));
    status_clear();
    writer_stop(writer);
    fixture_close(&f);
}

static void stop_finishes_the_write(void **state) {
    (void)state;
    Fixture f;
    Hooks hooks;
    Writer *writer;
    open_all(&f, &hooks, 3, &writer);
    assert_int_equal(writer_snapshot(writer, &f.checkpoint, true, within(30)), ST_OK);
    writer_stop(writer);
    assert_int_equal(checkpoint_verify(fixture_path(&f, "step-00000001.h5")), ST_OK);
    writer_stop(NULL);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_before_it_changes_anything),
        cmocka_unit_test(snapshots_are_copies),
        cmocka_unit_test(fetches_while_training_goes_on),
        cmocka_unit_test(some_need_not_last),
        cmocka_unit_test(history_grows),
        cmocka_unit_test(two_failures_in_a_row_count),
        cmocka_unit_test(what_is_committed_is_known),
        cmocka_unit_test(older_files_may_stay),
        cmocka_unit_test(waits_have_deadlines),
        cmocka_unit_test(two_writes_have_one_deadline),
        cmocka_unit_test(stop_finishes_the_write),
        cmocka_unit_test(the_best_is_written_again),
        cmocka_unit_test(one_of_the_best_is_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
