/* Options: where values come from, what is refused and in which words, and that what is written
 * reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/config.h"

enum { ARGS_MAX = 64 };

static char folder[64];  /* of the files written here */
static char path[96];    /* the configuration file */
static RunConfig config; /* what the last load gave */

#define MODEL "model: |\n  relu\n  linear c=10\n"

static void write_file(const char *text, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Loads `text` as a file, with flags given in one string, cut at blanks. */
static Status load(const char *text, const char *flags) {
    char words[512];
    char *argv[ARGS_MAX] = {path};
    int argc = 1;
    write_file(text, strlen(text));
    snprintf(words, sizeof words, "%s", flags);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        assert_in_range(argc, 1, ARGS_MAX - 1);
        argv[argc++] = word;
    }
    return config_load(argc, argv, &config);
}

static void must_load(const char *text, const char *flags) {
    if (load(text, flags) != ST_OK)
        fail_msg("%s", status_message());
}

/* `message` may begin with PATH, which stands for the file's name. */
static void assert_refused(Status status, const char *message) {
    char expected[STATUS_MESSAGE_MAX];
    bool has_path = strncmp(message, "PATH", 4) == 0;
    snprintf(expected, sizeof expected, "%s%s", has_path ? path : "", message + (has_path ? 4 : 0));
    assert_int_equal(status, ST_USAGE);
    assert_string_equal(status_message(), expected);
    status_clear();
}

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/lockstep-config-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/small.yaml", folder);
    return 0;
}

/* A test that failed must not make the next ones fail. */
static int each(void **state) {
    static const char *const variables[] = {
        "EPOCHS",       "BATCHSIZE", "XYZZY", "RESET", "SEED",   "KEEP",
        "OPTIMIZER_LR", "DROP_LAST", "DATA",  "OUT",   "RESUME", "CHECKPOINT_LOCAL"};
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "LOCKSTEP_%s", variables[i]);
        unsetenv(name);
    }
    status_clear();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void test_defaults(void **state) {
    (void)state;
    must_load(MODEL, "");
    assert_string_equal(config.file, path);
    assert_string_equal(config.name, "small");
    assert_string_equal(config.out, "runs/small");
    assert_string_equal(config.model, "relu\nlinear c=10\n");
    assert_int_equal(config.model_line, 2);
    assert_string_equal(config.data, "");
    assert_string_equal(config.resume, "auto");
    assert_true(config.seed == 1 && config.lanes == 8 && config.keep == 3 && config.threads == 0);
    assert_true(config.crash.step == -1);
    assert_true(config.drop_last);
    assert_int_equal(config.device, DEVICE_AUTO);
    assert_int_equal(config.reduction, REDUCTION_EXACT);
    assert_true(config.deadline == 300);
    assert_true(isnan(config.augment.std[0]) && isnan(config.augment.mean[3]));
}

static void test_order_of_sources(void **state) {
    (void)state;
    must_load(MODEL "epochs: 5\nseed: 6\nkeep: 7\n", "");
    assert_true(config.epochs == 5 && config.seed == 6 && config.keep == 7);
    setenv("LOCKSTEP_SEED", "60", 1);
    setenv("LOCKSTEP_KEEP", "70", 1);
    setenv("LOCKSTEP_OPTIMIZER_LR", "0.5", 1);
    setenv("LOCKSTEP_DROP_LAST", "no", 1);
    must_load(MODEL "epochs: 5\nseed: 6\nkeep: 7\n", "--keep 700");
    assert_true(config.epochs == 5 && config.seed == 60 && config.keep == 700);
    assert_true(config.schedule.lr == 0.5);
    assert_false(config.drop_last);
}

static void test_changes(void **state) {
    (void)state;
    setenv("LOCKSTEP_SEED", "60", 1);
    must_load(MODEL "epochs: 5\nkeep: 7\n", "--keep 700 --epochs 5 --lr 0.5 --out /a --threads 2");
    assert_string_equal(config.changes, "seed=60\noptimizer.lr=0.5\nkeep=700\n");
    unsetenv("LOCKSTEP_SEED");
    must_load(MODEL, "--batch-size 256");
    assert_string_equal(config.changes, "");
}

static void test_flag_forms(void **state) {
    (void)state;
    must_load(MODEL, "--lr=0.25 --optimizer adamw --schedule cosine --optimizer.beta1 0.8 --quiet "
                     "--no-drop-last --lanes auto --threads 3 --device ref --progress=lines "
                     "--data /a:b --reset");
    assert_true(config.schedule.lr == 0.25 && config.optimizer.beta1 == 0.8);
    assert_int_equal(config.optimizer.kind, OPTIMIZER_ADAMW);
    assert_int_equal(config.schedule.kind, SCHEDULE_COSINE);
    assert_true(config.quiet && config.reset && !config.drop_last);
    assert_true(config.lanes == 0 && config.threads == 3);
    assert_int_equal(config.device, DEVICE_REF);
    assert_int_equal(config.progress, PROGRESS_LINES);
    assert_string_equal(config.data, "/a:b");
    must_load(MODEL, "--quiet=false --drop-last --describe");
    assert_true(!config.quiet && config.drop_last && config.describe);
    must_load(MODEL, "--quiet false --drop-last true --describe");
    assert_true(!config.quiet && config.drop_last && config.describe);
}

static void test_yaml_values(void **state) {
    (void)state;
    must_load("# comment\n" MODEL "\n"
              "out: 'with: colon'\n"
              "optimizer: {name: adam, lr: 1e-3}\n"
              "schedule:\n"
              "  name: piecewise\n"
              "  points:\n"
              "    - [0, 0.5]\n"
              "    - [2.5, 1]\n"
              "augment:\n"
              "  mean: [0, 0.25, 1]\n",
              "");
    assert_int_equal(config.model_line, 3);
    assert_string_equal(config.out, "with: colon");
    assert_int_equal(config.optimizer.kind, OPTIMIZER_ADAM);
    assert_true(config.schedule.lr == 1e-3);
    assert_int_equal(config.schedule.n_points, 2);
    assert_true(config.schedule.point_at[1] == 2.5 && config.schedule.point_value[0] == 0.5);
    assert_true(config.augment.mean[1] == 0.25f && config.augment.mean[2] == 1);
    assert_true(isnan(config.augment.mean[3]));
    must_load(MODEL "augment:\n  pad-fill: [1, 128, 255]\n  crop-area: [0.25, 1]\n", "");
    assert_memory_equal(config.augment.pad_fill, ((int16_t[]){1, 128, 255, -1}), 8);
    assert_true(config.augment.area[0] == 0.25 && config.augment.area[1] == 1);
    must_load(MODEL "augment:\n  pad-fill: 7\n", "");
    assert_memory_equal(config.augment.pad_fill, ((int16_t[]){7, -1, -1, -1}), 8);
    must_load(MODEL "schedule:\n  name: step\n  points: [30, 60]\n", "");
    assert_true(config.schedule.point_at[1] == 60 && isnan(config.schedule.point_value[1]));
    must_load(MODEL, "--schedule piecewise --schedule.points 0:0,5:1,24:0");
    assert_true(config.schedule.n_points == 3 && config.schedule.point_at[2] == 24);
    must_load(MODEL "schedule:\n  name: piecewise\n  unit: share\n  points: [[0, 0], [5/24, 1]]\n",
              "");
    assert_int_equal(config.schedule.unit, SCHEDULE_SHARE);
    assert_true(config.schedule.point_at[1] == 5.0 / 24);
}

static void test_refused_files(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"epochs: 1\n", "no model: name a configuration file, as in 'lockstep train "
                        "configs/quickstart.yaml'"},
        {"", "no model: name a configuration file, as in 'lockstep train configs/quickstart.yaml'"},
        {MODEL "bach-size: 8\n", "PATH:4: unknown key 'bach-size'; did you mean 'batch-size'?"},
        {MODEL "gpu-count: 8\n", "PATH:4: unknown key 'gpu-count': see lockstep train --help"},
        {MODEL "optimizer:\n  lrr: 1\n",
         "PATH:5: unknown key 'optimizer.lrr'; did you mean 'optimizer.lr'?"},
        {MODEL "optimizer: adam\n",
         "PATH:4: 'optimizer' is a group: its keys stand below it, indented"},
        {MODEL "epochs: 5x\n", "PATH:4: epochs: '5x' is not a whole number"},
        {MODEL "epochs: 5K\n", "PATH:4: epochs: '5K' is not a whole number"},
        {MODEL "epochs:\n", "PATH:4: 'epochs' has no value: give one, or leave the line out"},
        {MODEL "out: ~\n", "PATH:4: 'out' has no value: give one, or leave the line out"},
        {MODEL "resume: null\n", "PATH:4: 'resume' has no value: give one, or leave the line out"},
        {MODEL "lr: 0.1\n", "PATH:4: unknown key 'lr'; did you mean 'optimizer.lr'?"},
        {MODEL "optimzer:\n", "PATH:4: unknown key 'optimzer'; did you mean 'optimizer'?"},
        {MODEL "optimzer: {}\n", "PATH:4: unknown group 'optimzer'; did you mean 'optimizer'?"},
        {MODEL "optimzer:\n  lr: 1\n",
         "PATH:4: unknown group 'optimzer'; did you mean 'optimizer'?"},
        {MODEL "<<: {epochs: 3}\n", "PATH:4: unknown group '<<': see lockstep train --help"},
        {MODEL "\"\": {epochs: 3}\n", "PATH:4: unknown group '': see lockstep train --help"},
        {MODEL "optimizer:\n", "PATH:4: 'optimizer' is a group: its keys stand below it, indented"},
        {MODEL "optimizer: [lr]\n",
         "PATH:4: 'optimizer' is a group: its keys stand below it, indented"},
        {MODEL "epochs: {}\n", "PATH:4: 'epochs' takes one value, not a group of keys"},
        {MODEL "report: {lr: 1}\n", "PATH:4: 'report' takes one value, not a group of keys"},
        {MODEL "optimizer:\n  lr: 1\nseed: 2\noptimizer: {momentum: 0}\n",
         "PATH:7: 'optimizer' is given twice; the first is in line 4"},
        {MODEL "optimizer.lr: 1\noptimizer:\n  lr: 2\n",
         "PATH:6: 'optimizer.lr' is given twice; the first is in line 4"},
        {MODEL "seed: !!str 5\n", "PATH:4: tags (tag:yaml.org,2002:str) are not understood here"},
        {MODEL "data: !include x\n", "PATH:4: tags (!include) are not understood here"},
        {MODEL "epochs: 0\n", "PATH:4: epochs: '0' is out of bounds: 1 to 1000000000"},
        {MODEL "epochs: 99999999999999999999\n",
         "PATH:4: epochs: '99999999999999999999' is out of bounds: 1 to 1000000000"},
        {MODEL "seed: -1\n", "PATH:4: seed: '-1' is not a whole number from 0"},
        {MODEL "seed: 18446744073709551616\n", "PATH:4: seed: '18446744073709551616' is out of "
                                               "bounds: 0 to 18446744073709551615"},
        {MODEL "deadline: inf\n", "PATH:4: deadline: 'inf' is not a number"},
        {MODEL "quiet: perhaps\n", "PATH:4: quiet: 'perhaps' is neither true nor false"},
        {MODEL "device: gpu\n", "PATH:4: device: 'gpu' must be auto, cpu, cuda or ref"},
        {MODEL "reset: true\n", "PATH:4: 'reset' is for the command line alone: --reset"},
        {MODEL "epochs: [1, 2]\n", "PATH:4: 'epochs' takes one value, not a list"},
        {MODEL "epochs: 1\nseed: 2\nepochs: 3\n",
         "PATH:6: 'epochs' is given twice; the first is in line 4"},
        {MODEL "augment:\n  mean: [1, 1, 1, 1, 1]\n",
         "PATH:5: augment.mean: '1,1,1,1,1' has 5 numbers: give one for each channel, at most 4"},
        {MODEL "augment:\n  mean: [[[1]]]\n", "PATH:5: the lists are nested too deep"},
        {MODEL "augment:\n  mean: [{a: 1}]\n", "PATH:5: a list holds numbers alone"},
        {MODEL "augment:\n  pad-fill: [1, 2, 3, 4, 5]\n",
         "PATH:5: augment.pad-fill: '1,2,3,4,5' has 5 numbers: give one for each channel, at most "
         "4"},
        {MODEL "augment:\n  pad-fill: 256\n",
         "PATH:5: augment.pad-fill: '256' is out of bounds: 0 to 255"},
        {MODEL "augment:\n  crop-area: [1, 0.5]\n",
         "PATH:5: augment.crop-area: '1,0.5' must be two numbers, the smaller one first"},
        {MODEL "augment:\n  crop-aspect: 1\n",
         "PATH:5: augment.crop-aspect: '1' must be two numbers, the smaller one first"},
        {MODEL "augment:\n  crop-area: [0, 1]\n",
         "augment.crop-area 0,1: the smallest share must be above 0, as in 0.08,1"},
        {MODEL "augment:\n  crop-area: [0.5, 1]\n  crop-pad: 4\n",
         "augment.crop-area and augment.crop-pad are two kinds of random crop: give one of them"},
        {MODEL "augment:\n  flip-mode: alternate\n",
         "augment.flip-mode alternate wants augment.flip above 0: the share of images that are "
         "mirrored first, as 0.5"},
        {MODEL "augment:\n  erase: 0.5\n  erase-area: [0, 0.5]\n",
         "augment.erase-area 0,0.5: the smallest share must be above 0, as in 0.02,0.33"},
        {MODEL "augment:\n  policy: randaug\n",
         "PATH:5: augment.policy: 'randaug' must be none, randaugment or trivialaugment"},
        {MODEL "augment:\n  policy-magnitude: 31\n",
         "PATH:5: augment.policy-magnitude: '31' is out of bounds: 0 to 30"},
        {MODEL "augment:\n  jitter-hue: 0.6\n",
         "PATH:5: augment.jitter-hue: '0.6' is out of bounds: 0 to 0.5"},
        {MODEL "augment:\n  cutmix: 0.001\n", "augment.cutmix 0.001: give 0, or 0.01 to 2"},
        {MODEL "augment:\n  mix-probability: 0.5\n",
         "augment.mix-probability wants augment.mixup or augment.cutmix above 0"},
        {MODEL "augment:\n  mean: [0.5, 128, 0.5]\n",
         "augment.mean 128 is above 1, but is subtracted from pixel / 255: give augment.unit byte "
         "for a mean and std of bytes"},
        {MODEL "schedule:\n  points: [[]]\n", "PATH:5: an empty list inside a list"},
        {MODEL "schedule:\n  name: step\n", "schedule.name step wants schedule.points, as in "
                                            "[30, 60]"},
        {MODEL "schedule:\n  name: piecewise\n  points: [1, 2]\n",
         "schedule.points: piecewise wants pairs of position and value, as in [[0, 0], [5, 1], "
         "[24, 0]]"},
        {MODEL "schedule:\n  name: step\n  points: [[1, 2]]\n",
         "schedule.points: step wants positions, as in [30, 60]"},
        {MODEL "schedule:\n  name: step\n  points: [2, 2]\n",
         "schedule.points: 2 must be larger than 2 before it"},
        {MODEL "schedule:\n  name: step\n  unit: share\n  points: [0.5, 1.5]\n",
         "schedule.points: 1.5 is more than the whole run: shares are 0 to 1; for epochs give "
         "schedule.unit epochs"},
        {MODEL "schedule:\n  unit: share\n  warmup: 1\n",
         "schedule.warmup 1: a share of the run must be below 1"},
        {MODEL "schedule:\n  warmup: 1\n  warmup-epochs: 1\n",
         "schedule.warmup and schedule.warmup-epochs say the same thing: give one of them"},
        {MODEL "schedule:\n  name: one-cycle\n  points: [5]\n",
         "schedule.points: one-cycle wants two or three, above 0: where lr is reached, (where it "
         "is "
         "back,) where lr-end is"},
        {MODEL "schedule:\n  name: plateau\n  gamma: 1\n",
         "schedule.gamma 1: with plateau the learning rate falls, so it must be below 1"},
        {MODEL "target: 94\n", "PATH:4: target: '94' is out of bounds: 0 to 1"},
        {MODEL "schedule:\n  points: [1/0]\n", "PATH:5: schedule.points: '1/0' divides by 0"},
        {MODEL "schedule:\n  points: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]\n",
         "PATH:5: schedule.points: more than 16 points"},
        {MODEL "schedule:\n  name: cosine\n  warmup-epochs: 10\n",
         "schedule.warmup-epochs 10 must be smaller than the 10 epochs of the cosine"},
        {MODEL "optimizer:\n  nesterov: true\n  momentum: 0\n",
         "optimizer.nesterov wants optimizer.momentum above 0"},
        {MODEL "reduction-type: bf16\n",
         "reduction-type bf16 wants reduction native: exact sums are integers; give --reduction "
         "native, or leave reduction-type out"},
        {MODEL "crash-at: 5:1:melt\n",
         "PATH:4: crash-at: 'melt' must be kill, segv, abort, exit, "
         "hang, hang-forward, hang-bucket, skip-bucket, "
         "short-bucket, slow, nan, flip, flip-slot, flip-running, flip-ema, "
         "flip-state, flip-schedule or flip-sample"},
        {MODEL "checkpoint-every: auto\nbad-steps:\n  policy: rollback\n",
         "bad-steps rollback wants checkpoint-every in steps: with auto the step that the run goes "
         "back to would follow from the clock"},
        {MODEL "crash-at: soon\n", "PATH:4: crash-at: 'soon' is not a whole number"},
        {"model: &m relu\nout: *m\n", "PATH:2: aliases (*name) are not understood here"},
        {MODEL "---\nepochs: 1\n", "PATH:4: a second document ('---') is not understood"},
        {"- a\n- b\n", "PATH:1: expected lines of the form 'key: value'"},
        {"[a]: 1\n", "PATH:1: a key must be plain text"},
        {"augment: {mean: {x: {y: 1}}}\n",
         "PATH:1: 'augment.mean' takes one value, not a group of keys"},
        {"out: \"a\\0b\"\n", "PATH:1: the value of 'out' holds a zero byte"},
        {"epochs: 1\nout: 'unclosed\n", "PATH:3: not YAML: while scanning a quoted scalar, found "
                                        "unexpected end of stream"},
        {"epochs: 1\n\tseed: 2\n", "PATH:2: not YAML: while scanning a plain scalar, found a tab "
                                   "character that violates indentation"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(load(cases[i].text, ""), cases[i].message);
}

static void test_refused_flags(void **state) {
    static const struct {
        const char *flags, *message;
    } cases[] = {
        {"--bach-size 8", "unknown option --bach-size; did you mean --batch-size?"},
        {"--xyzzy", "unknown option --xyzzy: see lockstep train --help"},
        {"--no-epochs", "unknown option --no-epochs; did you mean --epochs?"},
        {"-e 5", "unknown option -e: options begin with two dashes"},
        {"--epochs", "--epochs wants a value: --epochs N"},
        {"--epochs --quiet", "--epochs wants a value: --epochs N"},
        {"--epochs=", "--epochs: '' is not a whole number"},
        {"--lr -1", "--lr: '-1' is out of bounds: 0 to 1000000"},
        {"--lr 1e999", "--lr: '1e999' is out of bounds: 0 to 1000000"},
        {"--quiet=2", "--quiet: '2' is neither true nor false"},
        {"--model relu", "--model: 'model' stands in the configuration file alone"},
        {"--crash-iteration 5:1", "--crash-iteration: '5:1' is not a whole number"},
        {"--batch-size 250", "batch-size 250 cannot be divided into 8 lanes: the nearest that can "
                             "are 248 and 256"},
        {"--batch-size 5", "batch-size 5 is smaller than lanes 8: each lane needs an image, so "
                           "give at least batch-size 8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(load(MODEL, cases[i].flags), cases[i].message);
    char message[256];
    snprintf(message, sizeof message, "two configuration files: %s and other.yaml; give one", path);
    assert_refused(load(MODEL, "other.yaml"), message);
}

static void test_refused_environment(void **state) {
    (void)state;
    setenv("LOCKSTEP_EPOCHS", "many", 1);
    assert_refused(load(MODEL, ""), "environment variable LOCKSTEP_EPOCHS: 'many' is not a whole "
                                    "number");
    unsetenv("LOCKSTEP_EPOCHS");
    setenv("LOCKSTEP_BATCHSIZE", "8", 1);
    assert_refused(load(MODEL, ""), "the environment variable LOCKSTEP_BATCHSIZE is no option; did "
                                    "you mean LOCKSTEP_BATCH_SIZE?");
    unsetenv("LOCKSTEP_BATCHSIZE");
    setenv("LOCKSTEP_XYZZY", "8", 1);
    assert_refused(load(MODEL, ""), "the environment variable LOCKSTEP_XYZZY is no option: unset "
                                    "it");
    unsetenv("LOCKSTEP_XYZZY");
    setenv("LOCKSTEP_RESET", "1", 1);
    assert_refused(load(MODEL, ""), "LOCKSTEP_RESET: 'reset' cannot be set by the environment: "
                                    "unset it");
}

static void test_missing_file(void **state) {
    char near[128], expected[512];
    char *argv[] = {near};
    (void)state;
    must_load(MODEL, "");
    snprintf(near, sizeof near, "%s/smal.yaml", folder);
    snprintf(expected, sizeof expected,
             "%s: cannot read the configuration: No such file or directory; did you mean %s?", near,
             path);
    assert_refused(config_load(1, argv, &config), expected);
    snprintf(near, sizeof near, "quickstart");
    assert_refused(config_load(1, argv, &config),
                   "quickstart: cannot read the configuration: No such file or directory; did you "
                   "mean configs/quickstart.yaml?");
    snprintf(near, sizeof near, "%s", folder);
    snprintf(expected, sizeof expected, "%s: cannot read the configuration: Is a directory",
             folder);
    assert_refused(config_load(1, argv, &config), expected);
}

static void test_truth(void **state) {
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                      "on",   "On",   "ON",   "y",   "Y",   "1"};
    static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO",
                                     "off",   "Off",   "OFF",   "n",  "N",  "0"};
    char text[128], flags[64];
    (void)state;
    for (int i = 0; i < 24; i++) {
        const char *word = i < 12 ? yes[i] : no[i - 12];
        snprintf(text, sizeof text, MODEL "quiet: %s\n", word);
        must_load(text, i < 12 ? "--no-report" : "--report");
        assert_true(config.quiet == (i < 12) && config.report == (i >= 12));
        snprintf(flags, sizeof flags, "--quiet %s --seed 5", word);
        must_load(MODEL, flags);
        assert_true(config.quiet == (i < 12) && config.seed == 5);
        setenv("LOCKSTEP_DROP_LAST", word, 1);
        must_load(MODEL, "");
        assert_true(config.drop_last == (i < 12));
    }
    assert_refused(load(MODEL "quiet: yEs\n", ""),
                   "PATH:4: quiet: 'yEs' is neither true nor false");
}

/* Every option that is a path, from each place that it can come from. */
static void test_paths(void **state) {
    static const struct {
        const char *key, *variable, *field;
    } options[] = {{"data", "LOCKSTEP_DATA", config.data},
                   {"out", "LOCKSTEP_OUT", config.out},
                   {"checkpoint-local", "LOCKSTEP_CHECKPOINT_LOCAL", config.checkpoint_local},
                   {"resume", "LOCKSTEP_RESUME", config.resume}};
    static const struct {
        const char *written, *path;
    } paths[] = {
        {"~/a", "/home/me/a"},          {"$HOME/a", "/home/me/a"}, {"${HOME}/a", "/home/me/a"},
        {"/x/$HOME_TOO", "/x/too"},     {"./~/a", "./~/a"},        {"a~", "a~"},
        {"/s/${HOME_TOO}s", "/s/toos"}, {"plain", "plain"}};
    char text[256];
    (void)state;
    setenv("HOME", "/home/me", 1);
    setenv("HOME_TOO", "too", 1);
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
            snprintf(text, sizeof text, MODEL "%s: %s\n", options[o].key, paths[p].written);
            must_load(text, "");
            assert_string_equal(options[o].field, paths[p].path);
            snprintf(text, sizeof text, "--%s=%s", options[o].key, paths[p].written);
            must_load(MODEL, text);
            assert_string_equal(options[o].field, paths[p].path);
            setenv(options[o].variable, paths[p].written, 1);
            must_load(MODEL, "");
            assert_string_equal(options[o].field, paths[p].path);
            unsetenv(options[o].variable);
        }
    }
    assert_refused(load(MODEL, "--out=~you/a"),
                   "--out: '~you/a': only ~/ is understood; write the path out, or ./~you/a for "
                   "that name here");
    assert_refused(load(MODEL "data: $NOT_THERE/a\n", ""),
                   "PATH:4: data: '$NOT_THERE/a': the environment has no NOT_THERE; set it, or "
                   "write the path out");
    assert_refused(load(MODEL, "--resume=a$"), "--resume: 'a$': a $ stands before the name of a "
                                               "variable, as in $HOME or ${HOME}");
    assert_refused(load(MODEL, "--resume=${HOME"), "--resume: '${HOME': a $ stands before the name "
                                                   "of a variable, as in $HOME or ${HOME}");
    setenv("HOME", "~/b", 1);
    assert_refused(load(MODEL, "--out=~/a"), "--out: '~/a': HOME is '~/b', which is no path as it "
                                             "stands; write the path out");
    unsetenv("HOME");
    assert_refused(load(MODEL, "--out=~/a"), "--out: '~/a': the environment has no HOME; set it, "
                                             "or write the path out");
}

static void test_crash_at(void **state) {
    (void)state;
    must_load(MODEL, "--crash-at 120");
    assert_true(config.crash.step == 120 && config.crash.rank == -1);
    assert_int_equal(config.crash.how, CRASH_KILL);
    must_load(MODEL, "--crash-at 120:2:hang");
    assert_true(config.crash.rank == 2);
    assert_int_equal(config.crash.how, CRASH_HANG);
    must_load(MODEL, "--crash-at 1:last:nan");
    assert_true(config.crash.rank == -1);
    assert_int_equal(config.crash.how, CRASH_NAN);
    must_load(MODEL, "--crash-at 1:0:flip");
    assert_int_equal(config.crash.how, CRASH_FLIP);
    must_load(MODEL, "--crash-at 1:0:flip-schedule");
    assert_int_equal(config.crash.how, CRASH_FLIP_SCHEDULE);
    must_load(MODEL, "--crash-iteration 7");
    assert_true(config.crash.step == 7 && config.crash.rank == -1);
    assert_int_equal(config.crash.how, CRASH_KILL);
    must_load(MODEL, "--crash-iteration 7 --crash-at none");
    assert_true(config.crash.step == -1);
}

/* The length that a run with `flags` settles, going on from one with `before` (NULL: it begins). */
static double length_of(const char *before, const char *flags) {
    char *stored = NULL;
    if (before) {
        must_load(MODEL, before);
        assert_int_equal(config_settle_length(&config, NULL, NULL), ST_OK);
        assert_int_equal(config_text(&config, true, &stored), ST_OK);
    }
    must_load(MODEL, flags);
    Status status = config_settle_length(&config, stored, "step-8.h5");
    free(stored);
    return status == ST_OK ? config.schedule.total_epochs : -1;
}

#define SHARES "--schedule piecewise --schedule.unit share --schedule.points 0:0,1:1"

static void test_length_of_schedule(void **state) {
    (void)state;
    assert_true(length_of(NULL, "--schedule cosine --epochs 7") == 7);
    assert_true(length_of(NULL, "--schedule cosine --epochs 7 --schedule.total-epochs 5") == 5);
    assert_true(length_of(NULL, SHARES " --epochs 7") == 7);
    assert_true(length_of(NULL, "--schedule.unit share --schedule.warmup 0.1 --epochs 7") == 7);
    assert_true(length_of(NULL, "--epochs 7") == 0); /* it does not matter */
    assert_true(length_of(NULL, "--schedule step --schedule.points 3 --epochs 7") == 0);
    assert_true(length_of("--epochs 7", "--epochs 9") == 0);
    /* Settled once: at the run's beginning. */
    assert_true(length_of(SHARES " --epochs 5", SHARES " --epochs 3") == 5);
    assert_true(length_of(SHARES " --epochs 5", SHARES " --epochs 5") == 5);
    assert_true(length_of(SHARES " --epochs 5", SHARES " --epochs 8 --schedule.total-epochs 8") ==
                8);
    assert_true(length_of(SHARES " --epochs 5", SHARES " --epochs 8 --schedule.total-epochs 5") ==
                5);
    assert_true(length_of(SHARES " --epochs 5 --schedule.total-epochs 6", SHARES " --epochs 6") ==
                6);
    assert_true(length_of(SHARES " --epochs 5", SHARES " --epochs 8") == -1);
    assert_refused(ST_USAGE, "--epochs 8, but the schedule of step-8.h5 was laid out for 5: add "
                             "--schedule.total-epochs 8 to stretch it from here on, or "
                             "--schedule.total-epochs 5 to keep it and go on at its last learning "
                             "rate");
}

static Status check_length(const char *flags) {
    must_load(MODEL, flags);
    assert_int_equal(config_settle_length(&config, NULL, NULL), ST_OK);
    return config_check_length(&config, 10);
}

#define NEVER                                                                                      \
    " is never reached: the run has 5 epochs. Raise --epochs, give positions as shares "           \
    "(schedule.unit share), or end a run early by --steps"

static void test_points_beyond_the_run(void **state) {
    (void)state;
    assert_int_equal(check_length("--epochs 5"), ST_OK);
    assert_int_equal(check_length(SHARES " --epochs 1"), ST_OK);
    assert_int_equal(check_length("--schedule cosine --epochs 1"), ST_OK);
    /* A curve may end with the run, a fall at its end is none. */
    assert_int_equal(check_length("--schedule piecewise --schedule.points 0:0,5:1 --epochs 5"),
                     ST_OK);
    assert_refused(check_length("--schedule piecewise --schedule.points 0:0,6:1 --epochs 5"),
                   "the schedule's last point at epoch 6" NEVER);
    assert_int_equal(check_length("--schedule step --schedule.points 4.9 --epochs 5"), ST_OK);
    assert_refused(check_length("--schedule step --schedule.points 1,5 --epochs 5"),
                   "the schedule's last point at epoch 5" NEVER);
    assert_refused(check_length("--schedule step --schedule.unit steps --schedule.points 55 "
                                "--epochs 5"),
                   "the schedule's last point at epoch 5.5" NEVER);
    assert_refused(check_length("--schedule.warmup-epochs 6 --epochs 5"),
                   "the warm-up's end at epoch 6" NEVER);
    /* --steps only cuts; so does a length that was asked for. */
    assert_int_equal(check_length(SHARES " --epochs 5 --steps 20"), ST_OK);
    assert_int_equal(check_length(SHARES " --epochs 5 --schedule.total-epochs 9"), ST_OK);
}

static void test_help_wins(void **state) {
    char help[] = "--help", wrong[] = "--xyzzy";
    char *argv[] = {wrong, help};
    (void)state;
    assert_int_equal(config_load(2, argv, &config), ST_OK);
    assert_true(config.help);
}

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
        cmocka_unit_test_setup(test_defaults, each),
        cmocka_unit_test_setup(test_order_of_sources, each),
        cmocka_unit_test_setup(test_changes, each),
        cmocka_unit_test_setup(test_flag_forms, each),
        cmocka_unit_test_setup(test_yaml_values, each),
        cmocka_unit_test_setup(test_refused_files, each),
        cmocka_unit_test_setup(test_refused_flags, each),
        cmocka_unit_test_setup(test_refused_environment, each),
        cmocka_unit_test_setup(test_missing_file, each),
        cmocka_unit_test_setup(test_truth, each),
        cmocka_unit_test_setup(test_paths, each),
        cmocka_unit_test_setup(test_crash_at, each),
        cmocka_unit_test_setup(test_length_of_schedule, each),
        cmocka_unit_test_setup(test_points_beyond_the_run, each),
        cmocka_unit_test_setup(test_help_wins, each),
        cmocka_unit_test_setup(test_dump_reads_back, each),
        cmocka_unit_test_setup(test_dump_prints, each),
        cmocka_unit_test_setup(test_stored_text, each),
        cmocka_unit_test_setup(test_what_may_change, each),
        cmocka_unit_test_setup(test_what_must_not_change, each),
        cmocka_unit_test_setup(test_damaged_stored_text, each),
        cmocka_unit_test_setup(test_help, each),
        cmocka_unit_test(test_mean_and_std_of_the_set),
        cmocka_unit_test(test_images_that_do_not_fit),
    };
    return cmocka_run_group_tests_name("config", tests, setup, teardown);
}
