/* Options as text: that what is written reads back the same, what may change when a run goes on,
 * and what waits for the images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"

/* Everything but the name of the file it came from. */
static void assert_same_config(const RunConfig *a, const RunConfig *b) {
    size_t begin = offsetof(RunConfig, model), end = offsetof(RunConfig, model_line);
    size_t data = offsetof(RunConfig, data);
    assert_memory_equal((const char *)a + begin, (const char *)b + begin, end - begin);
    assert_memory_equal((const char *)a + data, (const char *)b + data, sizeof *a - data);
}

static void check_round_trip(const char *text, const char *flags) {
    char *dump = NULL, *again = NULL;
    RunConfig *first = malloc(sizeof *first);
    must_load(text, flags);
    memcpy(first, &config, sizeof *first);
    assert_int_equal(config_text(&config, false, &dump), ST_OK);
    must_load(dump, "");
    assert_same_config(first, &config);
    assert_int_equal(config_text(&config, false, &again), ST_OK);
    assert_string_equal(dump, again);
    free(dump);
    free(again);
    free(first);
}

static void test_dump_reads_back(void **state) {
    (void)state;
    check_round_trip(MODEL, "");
    check_round_trip(MODEL "data: ' odd # \"name\": '\nout: \"tab\\tand\\nline\"\n",
                     "--lr 0.1234567890123456789 --seed 18446744073709551615 --augment.mean "
                     "0.1,0.123456789,1 --schedule step --schedule.points 1,2.5 --lanes auto "
                     "--crash-at 5:last:nan --device ref --no-drop-last --progress-width 77 "
                     "--deadline 0.3");
    check_round_trip("model: \"  leading\\n\\n#c\\n tabs\\t \\n\\n\"\n",
                     "--schedule piecewise --schedule.points 0:0,5:1e-7");
    check_round_trip("model: relu\n", "--schedule cosine --epochs 4 --resume none --batch-size 8");
    check_round_trip("model: relu\n", "--out null --data NULL");
}

static void test_dump_prints(void **state) {
    char *dump = NULL, *printed = NULL;
    size_t length = 0;
    (void)state;
    must_load(MODEL, "--lr 0.4");
    assert_int_equal(config_text(&config, false, &dump), ST_OK);
    FILE *out = open_memstream(&printed, &length);
    assert_int_equal(config_dump(&config, out), ST_OK);
    fclose(out);
    assert_string_equal(dump, printed);
    assert_non_null(strstr(dump, "model: |\n  relu\n  linear c=10\n"));
    assert_non_null(strstr(dump, "\noptimizer:\n  name: sgd\n  lr: 0.4\n"));
    assert_non_null(strstr(dump, "\n  mean: auto\n"));
    assert_non_null(strstr(dump, "\nthreads: auto\n"));
    assert_non_null(strstr(dump, "\ndeadline: 300\n"));
    free(dump);
    free(printed);
}

/* What ranks compare and checkpoints carry does not depend on where and how a run runs. */
static void test_stored_text(void **state) {
    char *one = NULL, *other = NULL;
    (void)state;
    must_load(MODEL, "");
    assert_int_equal(config_text(&config, true, &one), ST_OK);
    must_load(MODEL, "--data /x --out /y --threads 2 --loader.threads 3 --resume none --reset "
                     "--quiet --progress bar --progress-width 80 --crash-at 5 --describe "
                     "--dump-config");
    assert_int_equal(config_text(&config, true, &other), ST_OK);
    assert_string_equal(one, other);
    free(other);
    must_load(MODEL, "--steps 8");
    assert_int_equal(config_text(&config, true, &other), ST_OK);
    assert_string_not_equal(one, other);
    free(other);
    free(one);
}

/* Stores the text of a run with `before`, resumes it with `after`: the status of comparing. */
static Status compatible(const char *before_model, const char *before, const char *after_model,
                         const char *after) {
    char *stored = NULL;
    must_load(before_model, before);
    assert_int_equal(config_text(&config, true, &stored), ST_OK);
    must_load(after_model, after);
    Status status = config_compatible(&config, stored, "step-8.h5");
    free(stored);
    return status;
}

static void test_what_may_change(void **state) {
    (void)state;
    assert_int_equal(compatible(MODEL, "--epochs 3 --checkpoint-every 5 --keep 2", MODEL,
                                "--epochs 4 --steps 99 --checkpoint-every 7 --keep 9 --threads 2 "
                                "--device ref --log-every 3 --deadline 9 --bucket-bytes 8192 --out "
                                "o --data d --eval.patience 3"),
                     ST_OK);
    /* Comments, blanks and empty lines of the model do not count. */
    assert_int_equal(
        compatible(MODEL, "", "model: |\n\n  relu # max\n    linear c=10\n  # end\n", ""), ST_OK);
}

#define MADE_WITH "step-8.h5 was made with other values of what cannot change at resume: "
#define REMEDY    ". Use its values, another --out, or --reset to start over"

static void test_what_must_not_change(void **state) {
    (void)state;
    assert_refused(compatible(MODEL, "--batch-size 512 --lanes 4", MODEL, "--batch-size 256"),
                   MADE_WITH "batch-size 512 there, 256 here; lanes 4 there, 8 here" REMEDY);
    assert_refused(compatible(MODEL, "", "model: |\n  gelu\n  linear c=10\n", ""),
                   MADE_WITH "model relu there, gelu here" REMEDY);
    assert_refused(compatible(MODEL, "", MODEL "  scale by=1\n", ""),
                   MADE_WITH "model (its end) there, scale by=1 here" REMEDY);
    assert_refused(
        compatible(MODEL, "--reduction native", MODEL, "--reduction native --reduction-type bf16"),
        MADE_WITH "reduction-type fp32 there, bf16 here" REMEDY);
    static const char *const fixed[] = {"--seed 2",
                                        "--optimizer adam",
                                        "--lr 0.2",
                                        "--no-drop-last",
                                        "--holdout 5",
                                        "--augment.flip 0.5",
                                        "--augment.std 1,1,1",
                                        "--label-smoothing 0.1",
                                        "--eval.batch 50",
                                        "--reduction native",
                                        "--schedule cosine",
                                        "--optimizer.ema-decay 0.9",
                                        "--schedule.points 3",
                                        "--schedule.unit share",
                                        "--schedule.warmup 1"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        assert_int_equal(compatible(MODEL, "", MODEL, fixed[i]), ST_USAGE);
        status_clear();
    }
}

static void test_damaged_stored_text(void **state) {
    (void)state;
    must_load(MODEL, "");
    assert_refused(config_compatible(&config, "epochs: 1\nlayers: 5\n", "step-8.h5"),
                   "step-8.h5:2: unknown key 'layers'; did you mean 'lanes'?");
}

/* Each option with its default; no line is too wide. */
static void test_help(void **state) {
    char *text = NULL;
    size_t length = 0;
    (void)state;
    FILE *out = open_memstream(&text, &length);
    config_help(out);
    fclose(out);
    assert_non_null(strstr(text, "* --lr, --optimizer.lr X\n"));
    assert_non_null(strstr(text, "* --lanes L\n"));
    assert_non_null(strstr(text, "  --epochs N\n        passes over the data [10]\n"));
    assert_non_null(strstr(text, "  --device NAME: auto | cpu | cuda | ref\n"));
    assert_non_null(strstr(text, "  --crash-at STEP[:RANK[:HOW]]\n"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 101);
    free(text);
}

/* ---- What waits for the images ---- */

static const double own_mean[4] = {0.25, 0.5, 0.75, 1}, own_std[4] = {0.5, 0.5, 0.125, 0.5};

static void assert_fits(const char *flags, int64_t channels, const float *mean, const float *std) {
    must_load(MODEL, flags);
    if (config_fit_images(&config, (Shape){1, channels, 28, 28}, own_mean, own_std) != ST_OK)
        fail_msg("%s", status_message());
    for (int64_t c = 0; c < channels; c++) {
        assert_true(config.augment.mean[c] == mean[c]);
        assert_true(config.augment.std[c] == std[c]);
    }
    for (int64_t c = channels; c < 4; c++)
        assert_true(isnan(config.augment.mean[c]) && isnan(config.augment.std[c]));
}

static void test_mean_and_std_of_the_set(void **state) {
    (void)state;
    assert_fits("", 3, (float[]){0.25f, 0.5f, 0.75f}, (float[]){0.5f, 0.5f, 0.125f});
    assert_fits("", 1, (float[]){0.25f}, (float[]){0.5f});
    assert_fits("--augment.unit byte", 1, (float[]){63.75f}, (float[]){127.5f});
    assert_fits("--augment.mean 0.5", 3, (float[]){0.5f, 0.5f, 0.5f},
                (float[]){0.5f, 0.5f, 0.125f});
    assert_fits("--augment.std 1,2", 2, (float[]){0.25f, 0.5f}, (float[]){1, 2});
}

static void assert_does_not_fit(const char *flags, Shape image, const char *says) {
    must_load(MODEL, flags);
    assert_refused(config_fit_images(&config, image, own_mean, own_std), says);
}

static void test_images_that_do_not_fit(void **state) {
    (void)state;
    static const Shape grey = {1, 1, 28, 28}, colour = {1, 3, 32, 32}, small = {1, 3, 40, 8},
                       two = {1, 2, 32, 32}, four = {1, 4, 32, 32};
    assert_does_not_fit("--augment.mean 0.5,0.5,0.5", grey,
                        "augment.mean has 3 numbers, but the images have 1 channel: give one "
                        "number for each, or one for all");
    assert_does_not_fit("--augment.std 1,1", colour,
                        "augment.std has 2 numbers, but the images have 3 channels: give one "
                        "number for each, or one for all");
    assert_does_not_fit("--augment.pad-fill 1,2", colour,
                        "augment.pad-fill has 2 numbers, but the images have 3 channels: give one "
                        "number for each, or one for all");
    assert_does_not_fit("--augment.crop-pad 8 --augment.pad-mode reflect", small,
                        "augment.crop-pad 8 with pad-mode reflect wants images larger than that: "
                        "these are 40 x 8");
    assert_does_not_fit("--augment.erase-fill 1,2", colour,
                        "augment.erase-fill has 2 numbers, but the images have 3 channels: give "
                        "one number for each, or one for all");
    assert_does_not_fit("--augment.policy trivialaugment", two,
                        "augment.policy wants images of 1 or 3 channels, grey or red, green and "
                        "blue, but these have 2: leave it out");
    assert_does_not_fit("--augment.jitter-contrast 0.1", four,
                        "augment.jitter-contrast wants images of 1 or 3 channels, grey or red, "
                        "green and blue, but these have 4: leave it out");
    assert_does_not_fit("--augment.jitter-saturation 0.1", grey,
                        "augment.jitter-saturation wants images of 3 channels, red, green and "
                        "blue, but these have 1: leave it out");
    must_load(MODEL, "--augment.pad-fill 5,5,5 --augment.policy randaugment "
                     "--augment.jitter-brightness 1"); /* the fill is one for all */
    assert_int_equal(config_fit_images(&config, grey, own_mean, own_std), ST_OK);
    must_load(MODEL, "--augment.erase 0.5 --augment.erase-with noise");
    assert_int_equal(config_fit_images(&config, four, own_mean, own_std), ST_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_dump_reads_back, config_fixture_each),
        cmocka_unit_test_setup(test_dump_prints, config_fixture_each),
        cmocka_unit_test_setup(test_stored_text, config_fixture_each),
        cmocka_unit_test_setup(test_what_may_change, config_fixture_each),
        cmocka_unit_test_setup(test_what_must_not_change, config_fixture_each),
        cmocka_unit_test_setup(test_damaged_stored_text, config_fixture_each),
        cmocka_unit_test_setup(test_help, config_fixture_each),
        cmocka_unit_test(test_mean_and_std_of_the_set),
        cmocka_unit_test(test_images_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("config_text", tests, config_fixture_open,
                                       config_fixture_close);
}
