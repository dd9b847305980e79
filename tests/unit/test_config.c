/* Options: where values come from, and what is refused and in which words. */
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

#include "config_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, config_fixture_each),
        cmocka_unit_test_setup(test_order_of_sources, config_fixture_each),
        cmocka_unit_test_setup(test_changes, config_fixture_each),
        cmocka_unit_test_setup(test_flag_forms, config_fixture_each),
        cmocka_unit_test_setup(test_yaml_values, config_fixture_each),
        cmocka_unit_test_setup(test_refused_files, config_fixture_each),
        cmocka_unit_test_setup(test_refused_flags, config_fixture_each),
        cmocka_unit_test_setup(test_refused_environment, config_fixture_each),
        cmocka_unit_test_setup(test_missing_file, config_fixture_each),
        cmocka_unit_test_setup(test_truth, config_fixture_each),
        cmocka_unit_test_setup(test_paths, config_fixture_each),
        cmocka_unit_test_setup(test_crash_at, config_fixture_each),
        cmocka_unit_test_setup(test_length_of_schedule, config_fixture_each),
        cmocka_unit_test_setup(test_points_beyond_the_run, config_fixture_each),
        cmocka_unit_test_setup(test_help_wins, config_fixture_each),
    };
    return cmocka_run_group_tests_name("config", tests, config_fixture_open, config_fixture_close);
}
