/* checkpoint_checks: see checkpoint_checks.h. */
#include "checkpoint_checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void checkpoint_same_arrays(const Fixture *f, const Checkpoint *c) {
    const Checkpoint *want = &f->checkpoint;
    size_t flat = (size_t)f->model.flat * sizeof(float);
    assert_memory_equal(c->weight, want->weight, flat); /* gaps too: they become zero */
    assert_memory_equal(c->slot[0], want->slot[0], flat);
    assert_memory_equal(c->slot[1], want->slot[1], flat);
    assert_memory_equal(c->ema, want->ema, flat);
    assert_memory_equal(c->running, want->running, (size_t)f->model.running_flat * sizeof(float));
}

void checkpoint_same_meta(const Fixture *f, const Checkpoint *c) {
    const Checkpoint *want = &f->checkpoint;
    uint64_t hash;
    RunState a = c->state, b = want->state;
    assert_string_equal(c->config, want->config);
    assert_true(c->seed == want->seed && c->dataset_hash == want->dataset_hash);
    assert_int_equal(c->lanes, want->lanes);
    assert_string_equal(c->git, want->git);
    assert_string_equal(c->dataset, want->dataset);
    assert_int_equal(c->image.c, want->image.c);
    assert_int_equal(c->image.h, want->image.h);
    assert_int_equal(c->image.w, want->image.w);
    assert_int_equal(c->classes, want->classes);
    assert_string_equal(c->class_names, want->class_names);
    assert_string_equal(c->instruction_set, want->instruction_set);
    if (want->autotune)
        assert_string_equal(c->autotune, want->autotune);
    else
        assert_null(c->autotune);
    assert_string_equal(c->lineage ? c->lineage : "", want->lineage ? want->lineage : "");
    assert_true(c->test_hash == want->test_hash);
    assert_int_equal(c->steps_per_epoch, want->steps_per_epoch);
    assert_true(c->has_ema);
    assert_int_equal(c->n_slots, 2);
    assert_string_equal(c->slot_name[0], "exp_avg_sq");
    assert_string_equal(c->slot_name[1], "exp_avg");
    assert_int_equal(checkpoint_state_hash(want, &hash), ST_OK);
    assert_true(c->state_hash == hash);
    assert_memory_equal(a.history, b.history, 3 * sizeof *b.history);
    assert_int_equal(a.step, b.step);
    assert_int_equal(a.epoch, b.epoch);
    assert_int_equal(a.position, b.position);
    assert_true(a.best_accuracy == b.best_accuracy && a.best_loss == b.best_loss);
    assert_int_equal(a.best_step, b.best_step);
    assert_true(a.last_accuracy == b.last_accuracy);
    assert_int_equal(a.without_better, b.without_better);
    assert_true(a.has_plateau && b.has_plateau);
    assert_true(a.plateau.lr == b.plateau.lr && a.plateau.best == b.plateau.best);
    assert_int_equal(a.plateau.bad, b.plateau.bad);
    assert_int_equal(a.plateau.cooldown, b.plateau.cooldown);
    assert_int_equal(a.log_loss, b.log_loss);
    assert_int_equal(a.log_correct, b.log_correct);
    assert_int_equal(a.log_images, b.log_images);
    assert_int_equal(a.epoch_loss, b.epoch_loss);
    assert_int_equal(a.epoch_correct, b.epoch_correct);
    assert_int_equal(a.epoch_images, b.epoch_images);
    assert_int_equal(a.last_logged_step, b.last_logged_step);
    assert_int_equal(a.finished, b.finished);
    assert_true(a.samples.known == b.samples.known && a.samples.from == b.samples.from);
    assert_int_equal(a.bad.skipped, b.bad.skipped);
    assert_int_equal(a.bad.in_a_row, b.bad.in_a_row);
    assert_int_equal(a.bad.rollbacks, b.bad.rollbacks);
    assert_true(a.bad.lr_factor == b.bad.lr_factor);
    assert_true(a.samples.all == b.samples.all && a.samples.epoch == b.samples.epoch);
    assert_int_equal(a.n_history, b.n_history);
}

void checkpoint_write_step(Fixture *f, int64_t step) {
    fixture_step(f, step);
    if (checkpoint_write(f->folder, &f->checkpoint, NULL, NULL) != ST_OK)
        fail_msg("%s", status_message());
}

void checkpoint_flip(const char *path, size_t at) {
    size_t size;
    char *bytes = fixture_load(path, &size);
    assert_true(at < size);
    bytes[at] = (char)(bytes[at] ^ 0x10);
    fixture_save(path, bytes, size);
    free(bytes);
}
