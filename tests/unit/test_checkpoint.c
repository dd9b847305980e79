/* Checkpoints: what is written is read, by lockstep and by others, and it is that of one model. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint_checks.h"
#include "lockstep/inspect.h"

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
    checkpoint_same_meta(&f, &meta);
    checkpoint_meta_free(&meta);
    arrays = fixture_empty(&f);
    assert_int_equal(fixture_read_arrays(path, &arrays), ST_OK);
    checkpoint_same_arrays(&f, &arrays);
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
    checkpoint_write_step(&f, 5);
    char *bytes = fixture_load(fixture_path(&f, "step-00000005.h5"), &size);
    char *before = malloc(size);
    memcpy(before, bytes, size);
    assert_int_equal(checkpoint_parse_meta(bytes, size, "image", &meta), ST_OK);
    checkpoint_same_meta(&f, &meta);
    checkpoint_meta_free(&meta);
    arrays = fixture_empty(&f);
    assert_int_equal(checkpoint_parse_arrays(bytes, size, "image", &arrays), ST_OK);
    checkpoint_same_arrays(&f, &arrays);
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
    checkpoint_write_step(&f, 5);
    if (checkpoint_look(path) != CHECKPOINT_GOOD)
        fail_msg("%s", status_message());
    Checkpoint arrays = fixture_empty(&f);
    arrays.peak = found;
    assert_int_equal(fixture_read_arrays(path, &arrays), ST_OK);
    assert_memory_equal(found, peak, (size_t)f.model.n_params * sizeof *peak);
    fixture_free_arrays(&arrays);

    f.checkpoint.config = FIXTURE_CONFIG;
    checkpoint_write_step(&f, 6);
    path = fixture_path(&f, "step-00000006.h5");
    assert_int_equal(checkpoint_look(path), CHECKPOINT_UNSEEN);
    assert_non_null(
        strstr(status_message(), "it has a gradient_peak, its configuration wants none"));
    f.checkpoint.peak = NULL;
    f.checkpoint.config = FIXTURE_CONFIG "reduction: exact32\n";
    checkpoint_write_step(&f, 7);
    path = fixture_path(&f, "step-00000007.h5");
    assert_int_equal(checkpoint_look(path), CHECKPOINT_UNSEEN);
    assert_non_null(
        strstr(status_message(), "it has no gradient_peak, its configuration wants one"));
    f.checkpoint.peak = peak;
    peak[1] = -1;
    checkpoint_write_step(&f, 8);
    path = fixture_path(&f, "step-00000008.h5");
    assert_int_equal(checkpoint_look(path), CHECKPOINT_UNSEEN);
    assert_non_null(strstr(status_message(), "gradient_peak that no run comes to"));
    status_clear();
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
    checkpoint_write_step(&f, 42);
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

static void another_model_is_refused(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f, 3);
    checkpoint_write_step(&f, 3);
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

static void inspect_says_what_is_in_it(void **state) {
    (void)state;
    Fixture f;
    char *text = NULL;
    size_t size = 0;
    fixture_open(&f, 10);
    f.checkpoint.autotune = "lockstep autotune 1: 1 graphs\nconv: eng1\n";
    checkpoint_write_step(&f, 10);
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
    checkpoint_flip(path, 5000);
    out = fopen("/dev/null", "w");
    fixture_refused(inspect_print(path, true, out), "checksum file");
    fclose(out);
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
        cmocka_unit_test(another_model_is_refused),
        cmocka_unit_test(runners_up),
        cmocka_unit_test(inspect_says_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
