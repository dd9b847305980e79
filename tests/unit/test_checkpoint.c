/* Checkpoints: what is written is read, damage of any byte is refused, nothing good is replaced,
 * and the folder is kept in order. */
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_fixture.h"
#include "lockstep/inspect.h"

static void assert_same_arrays(const Fixture *f, const Checkpoint *c) {
    const Checkpoint *want = &f->checkpoint;
    size_t flat = (size_t)f->model.flat * sizeof(float);
    assert_memory_equal(c->weight, want->weight, flat); /* gaps too: they become zero */
    assert_memory_equal(c->slot[0], want->slot[0], flat);
    assert_memory_equal(c->slot[1], want->slot[1], flat);
    assert_memory_equal(c->ema, want->ema, flat);
    assert_memory_equal(c->running, want->running, (size_t)f->model.running_flat * sizeof(float));
}

static void assert_same_meta(const Fixture *f, const Checkpoint *c) {
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

static void write_step(Fixture *f, int64_t step) {
    fixture_step(f, step);
    if (checkpoint_write(f->folder, &f->checkpoint, NULL, NULL) != ST_OK)
        fail_msg("%s", status_message());
}

static void flip(const char *path, size_t at) {
    size_t size;
    char *bytes = fixture_load(path, &size);
    assert_true(at < size);
    bytes[at] = (char)(bytes[at] ^ 0x10);
    fixture_save(path, bytes, size);
    free(bytes);
}

static void round_trip(void **state) {
    (void)state;
    Fixture f;
    Checkpoint meta, arrays;
    int64_t bytes = 0;
    fixture_open(&f, 800);
    f.checkpoint.autotune = "lockstep autotune 1: 1 graphs\nconv: eng1\n";
    f.checkpoint.lineage = "0123456789abcdef@0 fedcba9876543210@12";
    f.checkpoint.test_hash = 77;
    assert_int_equal(checkpoint_write(f.folder, &f.checkpoint, NULL, &bytes), ST_OK);
    const char *path = fixture_path(&f, "step-00000800.h5");
    assert_int_equal(fixture_shell("test $(stat -c %%s '%s') -eq %" PRId64, path, bytes), 0);
    assert_int_equal(checkpoint_verify(path), ST_OK);
    assert_int_equal(checkpoint_read_meta(path, &meta), ST_OK);
    assert_same_meta(&f, &meta);
    checkpoint_meta_free(&meta);
    arrays = fixture_empty(&f);
    assert_int_equal(fixture_read_arrays(path, &arrays), ST_OK);
    assert_same_arrays(&f, &arrays);
    fixture_free_arrays(&arrays);
    /* Two files and nothing temporary. */
    assert_int_equal(fixture_shell("test $(ls -A '%s' | wc -l) -eq 2", f.folder), 0);
    fixture_close(&f);
}

/* The length of its epochs is the set's: another one is no checkpoint's. */
static void position_of_other_epochs(void **state) {
    (void)state;
    static const int64_t length[] = {9, 11, 5, 800, 1 << 20};
    Fixture f;
    fixture_open(&f, 805);
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        f.checkpoint.steps_per_epoch = length[i];
        (void)checkpoint_write(f.folder, &f.checkpoint, NULL, NULL);
        status_clear();
        fixture_refused(checkpoint_verify(fixture_path(&f, "step-00000805.h5")), "position");
        assert_int_equal(fixture_shell("rm -f '%s'/step-*", f.folder), 0);
    }
    fixture_close(&f);
}

static void round_trip_from_memory(void **state) {
    (void)state;
    Fixture f;
    Checkpoint meta, arrays;
    size_t size;
    fixture_open(&f, 5);
    write_step(&f, 5);
    char *bytes = fixture_load(fixture_path(&f, "step-00000005.h5"), &size);
    char *before = malloc(size);
    memcpy(before, bytes, size);
    assert_int_equal(checkpoint_parse_meta(bytes, size, "image", &meta), ST_OK);
    assert_same_meta(&f, &meta);
    checkpoint_meta_free(&meta);
    arrays = fixture_empty(&f);
    assert_int_equal(checkpoint_parse_arrays(bytes, size, "image", &arrays), ST_OK);
    assert_same_arrays(&f, &arrays);
    assert_memory_equal(bytes, before, size); /* lent, not changed */
    fixture_free_arrays(&arrays);
    free(before);
    free(bytes);
    fixture_close(&f);
}

/* They come back as they were; what no run comes to is no checkpoint. */
static void runners_up(void **state) {
    (void)state;
    static const Evaluated good[] = {{12, 0.7, 1.5}, {16, 0.6, 1}, {0, 0.5, 1.25}};
    static const Evaluated bad[][2] = {
        {{12, 0.8, 1.5}, {16, 0.5, 0.8}}, /* better than the best by either */
        {{12, 0.5, 1.5}, {16, 0.6, 1.25}}, {{12, 0.6, 1.5}, {12, 0.6, 1.5}}, /* twice */
        {{10, 0.6, 1.5}, {12, 0.6, 1.5}},                                    /* the best */
        {{21, 0.6, 1.5}, {12, 0.6, 1.5}},                                    /* to come */
        {{12, 0.6, NAN}, {16, 0.6, 1.5}},  {{12, 0.6, 1.5}, {16, NAN, 1.5}},
        {{12, 0.6, 1.5}, {16, -1, 1.5}},   {{-1, 0.6, 1.5}, {12, 0.6, 1.5}}};
    Fixture f;
    Checkpoint meta;
    fixture_open(&f, 20);
    RunnersUp *list = &f.checkpoint.state.runners_up;
    memcpy(list->at, good, sizeof good);
    list->n = 3;
    assert_int_equal(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(checkpoint_read_meta(fixture_path(&f, "step-00000020.h5"), &meta), ST_OK);
    assert_int_equal(meta.state.runners_up.n, 3);
    assert_memory_equal(meta.state.runners_up.at, good, sizeof good);
    checkpoint_meta_free(&meta);
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        fixture_step(&f, 20);
        list->n = 2;
        memcpy(list->at, i < sizeof bad / sizeof *bad ? bad[i] : good, sizeof *bad);
        if (i == sizeof bad / sizeof *bad)
            f.checkpoint.state.best_step = -1; /* none, yet others behind it */
        fixture_shell("rm -f '%s'/step-*", f.folder);
        (void)checkpoint_write(f.folder, &f.checkpoint, NULL, NULL); /* it reads what it wrote */
        status_clear();
        fixture_refused(checkpoint_read_meta(fixture_path(&f, "step-00000020.h5"), &meta),
                        "runners_up");
    }
    fixture_close(&f);
}

static void long_config_empty_history_no_slots(void **state) {
    (void)state;
    Fixture f;
    Checkpoint meta;
    fixture_open(&f, 1);
    size_t length = 200000; /* more than an attribute could hold in old versions of the format */
    char *text = malloc(length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    static const char plain[] = "seed: 18364758544493064720\noptimizer:\n  momentum: 0\n"
                                "schedule:\n  name: plateau\n" FIXTURE_MODEL "# ";
    memcpy(text, plain, sizeof plain - 1);
    float *ema = f.checkpoint.ema;
    f.checkpoint.config = text;
    f.checkpoint.ema = NULL;
    f.checkpoint.n_slots = 0;
    f.checkpoint.state.n_history = 0;
    assert_int_equal(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(checkpoint_read_meta(fixture_path(&f, "step-00000001.h5"), &meta), ST_OK);
    assert_string_equal(meta.config, text);
    assert_int_equal(meta.n_slots, 0);
    assert_int_equal(meta.state.n_history, 0);
    assert_false(meta.has_ema);
    checkpoint_meta_free(&meta);
    f.checkpoint.ema = ema;
    free(text);
    fixture_close(&f);
}

/* Of exact32 alone; it is part of the state hash, and a file without it, or with another one's, is
 * none of its configuration. */
static void gradient_peaks(void **state) {
    (void)state;
    Fixture f;
    uint64_t hash, other;
    int64_t peak[16] = {0, 1, INT64_C(1) << 62, 12345}, found[16];
    fixture_open(&f, 5);
    assert_true(f.model.n_params <= 16);
    assert_int_equal(checkpoint_state_hash(&f.checkpoint, &hash), ST_OK);
    f.checkpoint.peak = peak;
    assert_int_equal(checkpoint_state_hash(&f.checkpoint, &other), ST_OK);
    assert_true(other != hash);
    peak[3]++;
    assert_int_equal(checkpoint_state_hash(&f.checkpoint, &hash), ST_OK);
    assert_true(other != hash);

    const char *path = fixture_path(&f, "step-00000005.h5");
    f.checkpoint.config = FIXTURE_CONFIG "reduction: exact32\n";
    write_step(&f, 5);
    if (checkpoint_look(path) != CHECKPOINT_GOOD)
        fail_msg("%s", status_message());
    Checkpoint arrays = fixture_empty(&f);
    arrays.peak = found;
    assert_int_equal(fixture_read_arrays(path, &arrays), ST_OK);
    assert_memory_equal(found, peak, (size_t)f.model.n_params * sizeof *peak);
    fixture_free_arrays(&arrays);

    f.checkpoint.config = FIXTURE_CONFIG;
    write_step(&f, 6);
    path = fixture_path(&f, "step-00000006.h5");
    assert_int_equal(checkpoint_look(path), CHECKPOINT_UNSEEN);
    assert_non_null(
        strstr(status_message(), "it has a gradient_peak, its configuration wants none"));
    f.checkpoint.peak = NULL;
    f.checkpoint.config = FIXTURE_CONFIG "reduction: exact32\n";
    write_step(&f, 7);
    path = fixture_path(&f, "step-00000007.h5");
    assert_int_equal(checkpoint_look(path), CHECKPOINT_UNSEEN);
    assert_non_null(
        strstr(status_message(), "it has no gradient_peak, its configuration wants one"));
    f.checkpoint.peak = peak;
    peak[1] = -1;
    write_step(&f, 8);
    path = fixture_path(&f, "step-00000008.h5");
    assert_int_equal(checkpoint_look(path), CHECKPOINT_UNSEEN);
    assert_non_null(strstr(status_message(), "gradient_peak that no run comes to"));
    fixture_close(&f);
}

static void many_chunks(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, 2);
    /* 2400 x 3072 floats: 29 MB in chunks of whole rows. */
    ParamView big = f.params[3];
    memcpy(big.spec.dim, (int64_t[]){2400, 3072, 1, 1}, sizeof big.spec.dim);
    big.count = 2400 * 3072;
    big.offset = 0;
    Model model = f.model;
    model.n_params = 1;
    model.n_running = 0;
    model.params = &big;
    model.flat = big.count;
    Checkpoint out = {.model = &model,
                      .config =
                          "lanes: 1\noptimizer:\n  momentum: 0\nmodel: |\n  linear c=2400 bias=0\n",
                      .seed = 1,
                      .lanes = 1,
                      .state = {.step = 9, .position = 9}};
    Checkpoint in = out;
    float none;
    out.weight = malloc((size_t)big.count * sizeof(float));
    in.weight = malloc((size_t)big.count * sizeof(float));
    out.running = in.running = &none;
    for (int64_t i = 0; i < big.count; i++)
        out.weight[i] = (float)i;
    assert_int_equal(checkpoint_write(f.folder, &out, NULL, NULL), ST_OK);
    in.running = NULL;
    assert_int_equal(fixture_read_arrays(fixture_path(&f, "step-00000009.h5"), &in), ST_OK);
    assert_memory_equal(in.weight, out.weight, (size_t)big.count * sizeof(float));
    free(out.weight);
    free(in.weight);
    fixture_close(&f);
}

static void state_hash_sees_every_part(void **state) {
    (void)state;
    Fixture f;
    uint64_t first, other;
    fixture_open(&f, 1);
    Checkpoint *c = &f.checkpoint;
    assert_int_equal(checkpoint_state_hash(c, &first), ST_OK);
    float *const parts[] = {c->weight, c->running, c->slot[0], c->slot[1], c->ema};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        float keep = parts[i][1];
        parts[i][1] += 1;
        assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
        assert_true(other != first);
        parts[i][1] = keep;
    }
    c->state.step++;
    assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
    assert_true(other != first);
    c->state.step--;
    c->weight[f.params[1].offset - 1] = 3; /* a gap */
    assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
    assert_true(other == first);
    /* Slots count by name, not by number. */
    c->slot_name[0] = "exp_avg", c->slot_name[1] = "exp_avg_sq";
    float *slot = c->slot[0];
    c->slot[0] = c->slot[1], c->slot[1] = slot;
    assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
    assert_true(other == first);
    double *reals[2] = {&c->state.plateau.lr, &c->state.plateau.best};
    int64_t *counts[2] = {&c->state.plateau.bad, &c->state.plateau.cooldown};
    assert_int_equal(checkpoint_state_hash(c, &first), ST_OK);
    for (int p = 0; p < 2; p++) {
        *reals[p] += 1;
        assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
        assert_int_not_equal(first, other);
        *reals[p] -= 1;
        *counts[p] += 1;
        assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
        assert_int_not_equal(first, other);
        *counts[p] -= 1;
    }
    c->state.has_plateau = false; /* then it is no part of the state */
    assert_int_equal(checkpoint_state_hash(c, &first), ST_OK);
    c->state.plateau.lr = 9;
    assert_int_equal(checkpoint_state_hash(c, &other), ST_OK);
    assert_int_equal(first, other);
    fixture_close(&f);
}

static void h5py_reads_it(void **state) {
    (void)state;
    Fixture f;
    if (fixture_shell("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0)
        skip();
    fixture_open(&f, 42);
    write_step(&f, 42);
    assert_int_equal(
        fixture_shell("/usr/bin/python3 - '%s' <<'EOF'\n"
                      "import h5py, sys\n"
                      "f = h5py.File(sys.argv[1], 'r')\n"
                      "assert f['params/conv1.weight'].shape == (4, 3, 3, 3)\n"
                      "assert f['params/conv1.weight'].fletcher32\n"
                      "assert abs(f['params/linear1.bias'][1] - 46.001) < 1e-4\n"
                      "assert abs(f['optimizer/exp_avg/bn1.bias'][0] - 344) < 1e-4\n"
                      "assert f['meta'].attrs['lanes'] == 8\n"
                      "assert f['meta'].attrs['seed'] == 0xfedcba9876543210\n"
                      "assert f['meta'].attrs['config'].decode().startswith('seed: 1836')\n"
                      "assert f['state'].attrs['step'] == 42\n"
                      "assert f['state/history']['test_accuracy'][2] == 0.18\n"
                      "EOF",
                      fixture_path(&f, "step-00000042.h5")),
        0);
    fixture_close(&f);
}

/* What a flipped byte leaves is bad, or good with all that it had: the byte was in a gap. */
static void damage_shows_or_changes_nothing(const Fixture *f, const char *path) {
    Checkpoint meta;
    if (checkpoint_look(path) == CHECKPOINT_BAD) {
        fixture_refused(checkpoint_read_meta(path, &meta), "damaged");
        return;
    }
    assert_int_equal(checkpoint_read_meta(path, &meta), ST_OK);
    assert_same_meta(f, &meta);
    checkpoint_meta_free(&meta);
    Checkpoint arrays = fixture_empty(f);
    assert_int_equal(fixture_read_arrays(path, &arrays), ST_OK);
    assert_same_arrays(f, &arrays);
    fixture_free_arrays(&arrays);
}

static void any_flipped_byte_is_refused(void **state) {
    (void)state;
    Fixture f;
    size_t size;
    Checkpoint meta;
    fixture_open(&f, 3);
    write_step(&f, 3);
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path(&f, "step-00000003.h5"));
    char *bytes = fixture_load(path, &size);
    FILE *none = fopen("/dev/null", "w");
    for (size_t at = 0; at < size; at += at < 4096 ? 7 : 97) {
        bytes[at] = (char)(bytes[at] ^ 1);
        fixture_save(path, bytes, size);
        damage_shows_or_changes_nothing(&f, path);
        fixture_refused(inspect_print(path, true, none), path); /* every byte counts there */
        bytes[at] = (char)(bytes[at] ^ 1);
    }
    for (size_t left = 0; left < size - 4096; left += 1 + size / 40) {
        fixture_save(path, bytes, left);
        fixture_refused(checkpoint_verify(path), "damaged");
        fixture_refused(checkpoint_read_meta(path, &meta), "damaged");
    }
    fclose(none);
    fixture_save(path, bytes, size);
    assert_int_equal(checkpoint_verify(path), ST_OK);
    /* The sidecar. */
    size_t side_size;
    char sidecar[600];
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", path);
    char *side = fixture_load(sidecar, &side_size);
    for (size_t at = 0; at < 33; at++) {
        side[at] = (char)(side[at] ^ 1);
        fixture_save(sidecar, side, side_size);
        assert_int_equal(checkpoint_look(path), CHECKPOINT_GOOD); /* by what it holds */
        side[at] = (char)(side[at] ^ 1);
    }
    fixture_save(sidecar, side, 20);
    assert_int_equal(checkpoint_look(path), CHECKPOINT_GOOD);
    unlink(sidecar);
    assert_int_equal(checkpoint_look(path), CHECKPOINT_GOOD);
    flip(path, size / 2);
    fixture_refused(checkpoint_verify(path), "missing");
    free(side);
    free(bytes);
    fixture_close(&f);
}

/* Without a sidecar HDF5 stands alone: each damage is refused, or changes nothing that is read. */
static void damage_in_memory_is_refused_or_harmless(void **state) {
    (void)state;
    Fixture f;
    size_t size, refused = 0, harmless = 0;
    fixture_open(&f, 3);
    write_step(&f, 3);
    char *bytes = fixture_load(fixture_path(&f, "step-00000003.h5"), &size);
    Checkpoint arrays = fixture_empty(&f);
    for (size_t at = 0; at < size; at += 23) {
        Checkpoint meta;
        bytes[at] = (char)(bytes[at] ^ 4);
        bool good = checkpoint_parse_meta(bytes, size, "image", &meta) == ST_OK;
        if (good) {
            assert_same_meta(&f, &meta);
            checkpoint_meta_free(&meta);
            good = checkpoint_parse_arrays(bytes, size, "image", &arrays) == ST_OK;
        }
        if (good) {
            assert_same_arrays(&f, &arrays);
            harmless++;
        } else {
            assert_non_null(strstr(status_message(), "image: "));
            status_clear();
            refused++;
        }
        bytes[at] = (char)(bytes[at] ^ 4);
    }
    assert_true(refused > 0 && harmless < size / 23);
    /* What is missing at the end may be padding, which HDF5 does not need. */
    for (size_t left = 0; left < size; left += 1 + size / 30) {
        Checkpoint meta;
        if (checkpoint_parse_meta(bytes, left, "image", &meta) == ST_OK) {
            assert_same_meta(&f, &meta);
            checkpoint_meta_free(&meta);
            assert_int_equal(checkpoint_parse_arrays(bytes, left, "image", &arrays), ST_OK);
            assert_same_arrays(&f, &arrays);
            assert_true(left > size - 4096);
        } else {
            assert_non_null(strstr(status_message(), "image: "));
            status_clear();
        }
    }
    fixture_free_arrays(&arrays);
    free(bytes);
    fixture_close(&f);
}

static void another_model_is_refused(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, 3);
    write_step(&f, 3);
    const char *path = fixture_path(&f, "step-00000003.h5");
    Checkpoint in = fixture_empty(&f);
    Fixture other = f;
    Model model = f.model;
    model.params = other.params;
    in.model = &model;
    other.params[3].spec.dim[0] = 5;
    other.params[3].spec.dim[1] = 8;
    fixture_refused(fixture_read_arrays(path, &in),
                    "linear1.weight has shape 10 x 4, the model wants 5 x 8");
    other = f;
    snprintf(other.params[1].name, sizeof other.params[1].name, "bn7.weight");
    fixture_refused(fixture_read_arrays(path, &in), "bn7.weight");
    other = f;
    model.n_params--;
    fixture_refused(fixture_read_arrays(path, &in), "params has 5 arrays, the model has 4");
    model.n_params++;
    in.slot_name[0] = "momentum";
    fixture_refused(fixture_read_arrays(path, &in), "momentum");
    fixture_free_arrays(&in);
    fixture_close(&f);
}

static void good_files_are_never_replaced(void **state) {
    (void)state;
    Fixture f;
    size_t size, size2;
    fixture_open(&f, 4);
    write_step(&f, 4);
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path(&f, "step-00000004.h5"));
    char *first = fixture_load(path, &size);
    /* The same state again: success, the same file. */
    assert_int_equal(fixture_shell("touch -d @1000 '%s'", path), 0);
    write_step(&f, 4);
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
    write_step(&f, 4);
    f.checkpoint.weight[0] += 1;
    /* A damaged one: moved away, written anew. */
    flip(path, size / 2);
    assert_int_equal(checkpoint_write(f.folder, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(checkpoint_verify(path), ST_OK);
    assert_true(fixture_exists(&f, "step-00000004.h5.bad"));
    assert_true(fixture_exists(&f, "step-00000004.h5.xxh3.bad"));
    /* A sidecar that a killed writer left: harmless. */
    fixture_save(fixture_path(&f, "step-00000006.h5.xxh3"), "stale\n", 6);
    write_step(&f, 6);
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
        write_step(&f, step);
    fixture_save(fixture_path(&f, "step-00000009.h5.tmp.1.0.0.elsewhere"), "x", 1);
    fixture_save(fixture_path(&f, "step-9.h5"), "x", 1); /* not a checkpoint's name */
    flip(fixture_path(&f, "step-00000003.h5"), 6000);
    /* Others may look, but not rename. */
    assert_int_equal(checkpoint_newest(f.folder, false, NULL, path), ST_OK);
    assert_string_equal(path, fixture_path(&f, "step-00000002.h5"));
    assert_true(fixture_exists(&f, "step-00000003.h5"));
    assert_int_equal(checkpoint_newest(f.folder, true, NULL, path), ST_OK);
    assert_string_equal(path, fixture_path(&f, "step-00000002.h5"));
    assert_false(fixture_exists(&f, "step-00000003.h5"));
    assert_true(fixture_exists(&f, "step-00000003.h5.bad"));
    flip(fixture_path(&f, "step-00000002.h5"), 6000);
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
        write_step(&f, step);
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
        write_step(&f, step);
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
    write_step(&f, 1);
    for (int i = 0; i < 3; i++) {
        write_step(&f, 2);
        flip(fixture_path(&f, "step-00000002.h5"), (size_t)(6000 + i));
        assert_int_equal(checkpoint_newest(f.folder, true, NULL, path), ST_OK);
    }
    assert_int_equal(fixture_shell("cd '%s' && test -e step-00000002.h5.bad -a -e "
                                   "step-00000002.h5.bad.2 -a -e step-00000002.h5.bad.3 -a -e "
                                   "step-00000002.h5.xxh3.bad.3",
                                   f.folder),
                     0);
    fixture_close(&f);
}

static void prune_keeps_good_ones_and_the_best(void **state) {
    (void)state;
    Fixture f;
    char temporary[256], host[64] = "";
    int64_t removed;
    fixture_open(&f, 1);
    for (int64_t step = 1; step <= 6; step++)
        write_step(&f, step);
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
    flip(fixture_path(&f, "step-00000005.h5"), 6000);
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
        write_step(&f, step);
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
        write_step(&f, step);
    }
    snprintf(file, sizeof file, "%s", fixture_path(&f, "step-00000003.h5"));
    flip(file, 6000);
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
    flip(path, 6000);
    /* Neither a's 2 nor b's 3 can be looked at. */
    fixture_shell("cd '%s' && rm a/step-00000002.h5.xxh3 b/step-00000003.h5.xxh3 && "
                  "mkdir a/step-00000002.h5.xxh3 b/step-00000003.h5.xxh3",
                  f.folder);
    assert_int_equal(checkpoint_search(places, 2, true, NULL, path, &where), ST_OK);
    assert_string_equal(path, fixture_path(&f, "b/step-00000004.h5"));
    assert_int_equal(where, 1);
    assert_true(places[0].bad && !places[1].bad);
    flip(path, 6000);
    fixture_refused(checkpoint_search(places, 2, true, NULL, path, &where), "step-00000003.h5");
    assert_int_equal(where, -1);
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
        write_step(&f, step);
    CheckpointKeep keep = {.newest = 2};
    fixture_refused(checkpoint_prune(f.folder, &keep, &closed, NULL), "not yours");
    flip(fixture_path(&f, "step-00000004.h5"), 6000);
    keep.newest = 3;
    fixture_refused(checkpoint_prune(f.folder, &keep, &closed, NULL), "not yours");
    fixture_step(&f, 4);
    fixture_refused(checkpoint_write(f.folder, &f.checkpoint, &closed, NULL), "not yours");
    assert_int_equal(asked, 3);
    assert_int_equal(fixture_shell("test $(ls -A '%s' | grep -vc bad) -eq 8", f.folder), 0);
    fixture_close(&f);
}

static void best_link_is_followed(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, 1);
    write_step(&f, 1);
    assert_int_equal(symlink("step-00000001.h5", fixture_path(&f, "best.h5")), 0);
    assert_int_equal(checkpoint_verify(fixture_path(&f, "best.h5")), ST_OK);
    fixture_refused(checkpoint_verify(fixture_path(&f, "none.h5")), "No such file");
    fixture_close(&f);
}

static void inspect_says_what_is_in_it(void **state) {
    (void)state;
    Fixture f;
    char *text = NULL;
    size_t size = 0;
    fixture_open(&f, 10);
    f.checkpoint.autotune = "lockstep autotune 1: 1 graphs\nconv: eng1\n";
    write_step(&f, 10);
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path(&f, "step-00000010.h5"));
    FILE *out = open_memstream(&text, &size);
    if (inspect_print(path, true, out) != ST_OK)
        fail_msg("%s", status_message());
    fclose(out);
    assert_non_null(strstr(text, "step 10,"));
    assert_non_null(strstr(text, "8 lanes"));
    assert_non_null(strstr(text, "synthetic"));
    assert_non_null(strstr(text, "4 x 3 x 3 x 3"));
    assert_non_null(strstr(text, "linear c=10"));
    assert_non_null(strstr(text, "bn1.running_var"));
    assert_non_null(strstr(text, "autotune\n  lockstep autotune 1: 1 graphs\n  conv: eng1\n"));
    assert_non_null(strstr(text, "verified"));
    free(text);
    flip(path, 5000);
    out = fopen("/dev/null", "w");
    fixture_refused(inspect_print(path, true, out), "checksum file");
    fclose(out);
    fixture_close(&f);
}

/* A tmpfs too small for the file: one message with path and cause, nothing left behind, and the
 * library usable afterwards. */
static void full_disk(void **state) {
    (void)state;
    Fixture f;
    char small[256];
    fixture_open(&f, 1);
    snprintf(small, sizeof small, "%s/small", f.folder);
    /* In a mount namespace of its own, which goes with this process whatever happens. */
    assert_int_equal(mkdir(small, 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", small, "tmpfs", 0, "size=16k") != 0) {
        fixture_close(&f);
        skip();
    }
    /* From next to no room to enough for all but the sidecar (the file has 17 KB). */
    for (int kib = 4; kib <= 20; kib += 4) {
        assert_int_equal(fixture_shell("mount -o remount,size=%dk '%s'", kib, small), 0);
        fixture_refused(checkpoint_write(small, &f.checkpoint, NULL, NULL),
                        "No space left on device");
        assert_int_equal(fixture_shell("test -z \"$(ls -A '%s')\"", small), 0);
    }
    assert_int_equal(fixture_shell("mount -o remount,size=1m '%s'", small), 0);
    assert_int_equal(checkpoint_write(small, &f.checkpoint, NULL, NULL), ST_OK);
    assert_int_equal(fixture_shell("umount '%s'", small), 0);
    fixture_refused(checkpoint_write(fixture_path(&f, "none"), &f.checkpoint, NULL, NULL),
                    "No such file");
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(position_of_other_epochs),
        cmocka_unit_test(round_trip_from_memory),
        cmocka_unit_test(long_config_empty_history_no_slots),
        cmocka_unit_test(gradient_peaks),
        cmocka_unit_test(many_chunks),
        cmocka_unit_test(state_hash_sees_every_part),
        cmocka_unit_test(h5py_reads_it),
        cmocka_unit_test(any_flipped_byte_is_refused),
        cmocka_unit_test(damage_in_memory_is_refused_or_harmless),
        cmocka_unit_test(another_model_is_refused),
        cmocka_unit_test(good_files_are_never_replaced),
        cmocka_unit_test(newest_passes_over_the_bad),
        cmocka_unit_test(what_cannot_be_looked_at_stays),
        cmocka_unit_test(bad_files_are_all_kept),
        cmocka_unit_test(a_branch_has_files_of_its_own),
        cmocka_unit_test(prune_keeps_good_ones_and_the_best),
        cmocka_unit_test(prune_is_about_one_branch),
        cmocka_unit_test(runners_up),
        cmocka_unit_test(the_best_stay),
        cmocka_unit_test(newest_of_two_folders),
        cmocka_unit_test(nothing_is_removed_without_leave),
        cmocka_unit_test(best_link_is_followed),
        cmocka_unit_test(inspect_says_what_is_in_it),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
