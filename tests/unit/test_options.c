/* The bounds and defaults of options, beside the table that has them: what a number may be is a
 * promise to whoever wrote a recipe, and defaults decide what a recipe means that says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/config.h"

static char path[] = "/tmp/lockstep-options-XXXXXX";
static RunConfig config;

static Status load(const char *key, const char *value) {
    char flag[80], word[80];
    char *argv[] = {path, flag, word};
    snprintf(flag, sizeof flag, "--%s", key);
    snprintf(word, sizeof word, "%s", value);
    return config_load(key ? 3 : 1, argv, &config);
}

static int setup(void **state) {
    static const char text[] = "model: |\n  linear c=10\n";
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, text, sizeof text - 1) != (ssize_t)(sizeof text - 1))
        return -1;
    return close(fd);
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

/* The least and the most that are taken, and the next beyond them that are not; NULL: the other
 * kind of test has it. */
static const struct {
    const char *key, *below, *least, *most, *above;
} bounds[] = {
    {"batch-size", "0", "8", "1048576", "1048584"}, /* multiples of 8 lanes */
    {"lanes", "0", "1", "256", "4097"},
    {"epochs", "0", "1", "1000000000", "1000000001"},
    {"steps", "-1", "0", "1000000000000000", "1000000000000001"},
    {"label-smoothing", "-0.001", "0", "0.999", "1"},
    {"holdout", "-1", "0", "1000000000", "1000000001"},
    {"augment.crop-pad", "-1", "0", "16", "17"}, /* half an image */
    {"augment.pad-fill", "-1", "0", "255", "256"},
    {"augment.flip", "-0.1", "0", "1", "1.1"},
    {"augment.rotate", "-1", "0", "180", "181"},
    {"augment.cutout", "-1", "0", "64", "65"},
    {"loader.threads", "0", "1", "64", "65"},
    {"optimizer.lr", "-1", "0", "1000000", "1000001"},
    {"optimizer.momentum", "-0.1", "0", "0.9999999", "1"},
    {"optimizer.beta1", "-0.1", "0", "0.9999999", "1"},
    {"optimizer.beta2", "-0.1", "0", "0.9999999", "1"},
    {"optimizer.alpha", "-0.1", "0", "0.9999999", "1"},
    {"optimizer.trust-coefficient", "0", "1e-09", "1000", "1001"},
    {"schedule.cycle-factor", "0", "1", "1000", "1001"},
    {"optimizer.eps", "-0.1", "0", "1", "1.1"},
    {"optimizer.weight-decay", "-0.1", "0", "1000000", "1000001"},
    {"optimizer.clip-norm", "-0.1", "0", "1000000", NULL},
    {"optimizer.ema-decay", "-0.1", "0", "0.9999999", "1"},
    {"muon.steps", "0", "1", "20", "21"},
    {"lookahead.every", "-1", "0", "1000000000", "1000000001"},
    {"lookahead.decay", "-0.1", "0", "1", "1.1"},
    {"lookahead.power", "-0.1", "0", "100", "101"},
    {"schedule.gamma", "-0.1", "0", "1000000", NULL},
    {"schedule.warmup-start", "-0.1", "0", "1", "1.1"},
    {"threads", "0", "1", "1024", "1025"},
    {"bucket-bytes", "4095", "4096", "1073741824", "1073741825"},
    {"deadline", "0", "0.1", "1000000", "1000001"},
    {"max-time", "0.9s", "1s", "10000d", "240001h"},
    {"checkpoint-every", "-1", "0", "1000000", NULL},
    {"checkpoint-every", "automatic", "auto", "auto", NULL},
    {"mtbf", "none", "1s", "10000d", "240001h"},
    {"drift-every", "-1", "0", "1000000", NULL},
    {"straggler.factor", "-0.1", "0", "1000000", "1000001"},
    {"straggler.steps", "0", "1", "1000000", "1000001"},
    {"bad-steps.in-a-row", "0", "1", "1000000000", "1000000001"}, /* none is --bad-steps stop */
    {"bad-steps.skipped", "0", "1", "1000000", NULL},
    {"bad-steps.rollbacks", "0", "1", "1000000000", "1000000001"},
    {"bad-steps.lr-factor", "0", "0.000000001", "1", "1.1"},
    {"keep", "0", "1", "1000000", "1000001"}, /* with none a run could not be resumed */
    {"log-every", "0", "1", "1000000", NULL},
    {"eval.every", "0", "1", "1000000", NULL},
};

static void bounds_are_kept(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const char *const good[] = {bounds[i].least, bounds[i].most};
        const char *const bad[] = {bounds[i].below, bounds[i].above};
        for (int k = 0; k < 2; k++) {
            if (load(bounds[i].key, good[k]) != ST_OK)
                fail_msg("--%s %s: %s", bounds[i].key, good[k], status_message());
            if (bad[k] && load(bounds[i].key, bad[k]) != ST_USAGE)
                fail_msg("--%s %s was taken", bounds[i].key, bad[k]);
            status_clear();
        }
    }
}

/* Of torch.optim.Adam and torch.optim.SGD where they have the same name, but for the learning rate
 * and the momentum, which have no default there that trains; what augments or regularises is off.
 */
static void defaults_say_nothing_else(void **state) {
    (void)state;
    assert_int_equal(load("seed", "1"), ST_OK);
    const Optimizer *optimizer = &config.optimizer;
    assert_true(optimizer->beta1 == 0.9 && optimizer->beta2 == 0.999 && optimizer->eps == 1e-8);
    assert_true(optimizer->weight_decay == 0 && !optimizer->nesterov);
    assert_true(optimizer->clip_norm == 0 && optimizer->ema_decay == 0 && !optimizer->decay_all);
    assert_true(config.label_smoothing == 0 && config.holdout == 0);
    assert_true(config.augment.crop_pad == 0 && config.augment.flip == 0);
    assert_true(config.augment.rotate == 0 && config.augment.cutout == 0);
    assert_true(config.schedule.kind == SCHEDULE_CONSTANT && config.schedule.warmup_epochs == 0);
    assert_true(config.keep == 3 && config.deadline == 300 && config.checkpoint_every == 0);
    assert_int_equal(config.bad_steps.policy, BAD_STEPS_STOP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(defaults_say_nothing_else),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
