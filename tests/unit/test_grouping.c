/* grouping: which parameters a line of optimizer.groups means, what it says of them, and in which
 * words it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/grouping.h"

/* Two of the names do not tell their kind. */
static const char network[] = "stem: conv c=8 k=3 bias\n"
                              "bn\n"
                              "relu\n"
                              "conv c=8 k=3\n"
                              "norm2: bn\n"
                              "avgpool global\n"
                              "linear c=10\n";

static const Optimizer sgd = {.momentum = 0.9, .nesterov = true, .weight_decay = 0.01};
static const Schedule straight = {.kind = SCHEDULE_COSINE, .lr = 0.5, .total_epochs = 8};
static Model model;
static Grouping grouping;

static Status open_groups(const char *text, const Optimizer *optimizer) {
    grouping_free(&grouping);
    return grouping_open(&model, text, "x.yaml", 20, optimizer, &straight, &grouping);
}

static void must_open(const char *text) {
    if (open_groups(text, &sgd) != ST_OK)
        fail_msg("%s", status_message());
}

static const ParamGroup *group_of(const char *name) {
    for (int p = 0; p < model.n_params; p++)
        if (strcmp(model.params[p].name, name) == 0)
            return &grouping.groups.group[grouping.group_of[p]];
    fail_msg("no parameter %s", name);
    return NULL;
}

static void assert_line(const char *name, int line) {
    if (group_of(name)->line != line)
        fail_msg("%s is of line %d, not %d", name, group_of(name)->line, line);
}

static void patterns_name_parameters(void **state) {
    (void)state;
    must_open("# a comment\n"
              "\n"
              "bn:bias lr-factor=64 # of a kind\n"
              "stem.* frozen\n"
              "*.bias,conv2.weight lr-factor=2\n");
    assert_line("stem.weight", 4);
    assert_line("stem.bias", 4); /* the first line that matches */
    assert_line("bn1.weight", 0);
    assert_line("bn1.bias", 3);
    assert_line("norm2.bias", 3);
    assert_line("norm2.weight", 0);
    assert_line("conv2.weight", 5);
    assert_line("linear1.bias", 5);
    assert_line("linear1.weight", 0);
    assert_true(group_of("norm2.bias")->lr_factor == 64);
    assert_true(group_of("stem.bias")->frozen && !group_of("bn1.bias")->frozen);
    must_open("conv:* frozen\n"); /* by default the second convolution is conv2 */
    assert_line("stem.bias", 1);
    assert_line("conv2.weight", 1);
    assert_line("linear1.bias", 0);
    must_open("");
    assert_int_equal(grouping.groups.n, 0);
    assert_line("stem.weight", 0);
}

static void a_line_says_only_what_is_other(void **state) {
    (void)state;
    must_open("bn:* weight-decay=0.25 momentum=0\n"
              "linear1.weight optimizer=adam beta1=0.5 beta2=0.75 eps=0.125\n"
              "conv2.* nesterov=0 momentum=0.5 frozen-after=1.5\n");
    const Optimizer *bn = &group_of("bn1.bias")->optimizer;
    assert_true(bn->weight_decay == 0.25 && bn->momentum == 0 && !bn->nesterov);
    assert_true(group_of("bn1.bias")->decays && group_of("bn1.bias")->lr_factor == 1);
    const Optimizer *adam = &group_of("linear1.weight")->optimizer;
    assert_true(adam->kind == OPTIMIZER_ADAM && adam->beta1 == 0.5 && adam->beta2 == 0.75);
    assert_true(adam->eps == 0.125 && adam->weight_decay == 0.01);
    const ParamGroup *conv = group_of("conv2.weight");
    assert_true(!conv->optimizer.nesterov && conv->optimizer.momentum == 0.5 && !conv->decays);
    assert_memory_equal(&group_of("stem.bias")->optimizer, &sgd, sizeof sgd);
    /* 3 steps an epoch: 1.5 epochs are over after 4.5 steps */
    assert_false(param_group_frozen(conv, 4, 3));
    assert_true(param_group_frozen(conv, 5, 3));
    assert_false(param_group_frozen(group_of("stem.bias"), 1000, 3));
}

static const GroupRange *range_at(const char *name) {
    for (int p = 0; p < model.n_params; p++)
        for (int r = 0; strcmp(model.params[p].name, name) == 0 && r < grouping.n_ranges; r++)
            if (model.params[p].offset >= grouping.range[r].begin &&
                model.params[p].offset < grouping.range[r].end)
                return &grouping.range[r];
    fail_msg("%s is in no range", name);
    return NULL;
}

static void ranges_cover_all(void **state) {
    (void)state;
    const char *const texts[] = {"", "bn:* weight-decay=0.25\n", "*.bias frozen\n",
                                 "conv2.*,norm2.* lr-factor=3\n"};
    for (int i = 0; i < 4; i++) {
        must_open(texts[i]);
        assert_int_equal(grouping.range[0].begin, 0);
        for (int r = 1; r < grouping.n_ranges; r++) {
            const GroupRange *last = &grouping.range[r - 1], *range = &grouping.range[r];
            assert_int_equal(range->begin, last->end);
            assert_true(range->begin % PARAM_ALIGN == 0);
            assert_true(range->group != last->group || range->decay != last->decay);
        }
        assert_int_equal(grouping.range[grouping.n_ranges - 1].end, model.flat);
    }
    must_open("bn:* weight-decay=0.25\nconv2.* frozen\n");
    assert_true(range_at("bn1.weight")->decay == 0.25 && range_at("bn1.bias")->decay == 0.25);
    assert_true(range_at("stem.weight")->decay == 0.01 && range_at("stem.bias")->decay == 0);
    assert_ptr_equal(range_at("bn1.weight"), range_at("bn1.bias"));
    assert_ptr_not_equal(range_at("stem.weight"), range_at("stem.bias"));
    assert_int_equal(range_at("conv2.weight")->group, 1);
    assert_int_equal(range_at("linear1.weight")->group, 2); /* the rest */
}

static bool has(const char *state, const char *name) {
    for (int s = 0; s < grouping.n_states; s++)
        for (int p = 0; strcmp(grouping.state[s].name, state) == 0 && p < model.n_params; p++)
            if (strcmp(model.params[p].name, name) == 0)
                return grouping.state[s].has[p];
    return false;
}

static void each_has_its_own_state(void **state) {
    (void)state;
    must_open("");
    assert_int_equal(grouping.n_states, 1);
    assert_true(grouping.has_slot[0] && !grouping.has_slot[1]);
    assert_true(has("momentum", "stem.weight") && has("momentum", "linear1.bias"));
    must_open("linear1.weight optimizer=adamw\nbn:* momentum=0\nstem.* frozen\n"
              "conv2.weight frozen-after=2\n");
    assert_int_equal(grouping.n_states, 3);
    assert_true(grouping.has_slot[0] && grouping.has_slot[1] && !grouping.has_slot[SLOT_SLOW]);
    assert_true(has("exp_avg", "linear1.weight") && has("exp_avg_sq", "linear1.weight"));
    assert_false(has("momentum", "linear1.weight"));
    assert_false(has("momentum", "bn1.bias") || has("exp_avg", "bn1.bias"));
    assert_false(has("momentum", "stem.weight")); /* frozen */
    assert_true(has("momentum", "conv2.weight") && has("momentum", "linear1.bias"));
    must_open("* frozen\n");
    assert_int_equal(grouping.n_states, 0);
}

/* Rows are outputs; the one with the most work comes first. */
static void matrices_are_muons(void **state) {
    (void)state;
    must_open("conv:weight optimizer=muon muon-steps=3 muon-rescale\n"
              "linear1.weight optimizer=muon weight-decay=0.5 momentum=0\n");
    assert_int_equal(grouping.n_wholes, 3);
    const GroupWhole *conv2 = &grouping.whole[0], *stem = &grouping.whole[1];
    const GroupWhole *linear = &grouping.whole[2];
    assert_string_equal(model.params[conv2->param].name, "conv2.weight");
    assert_true(conv2->rows == 8 && conv2->cols == 72 && conv2->decay == 0.01);
    assert_string_equal(model.params[stem->param].name, "stem.weight");
    assert_true(stem->rows == 8 && stem->cols == 27 && stem->group == 0);
    assert_true(linear->rows == 10 && linear->cols == 8 && linear->decay == 0.5);
    const Optimizer *muon = &group_of("stem.weight")->optimizer;
    assert_true(muon->kind == OPTIMIZER_MUON && muon->muon_steps == 3 && muon->muon_rescale);
    assert_true(muon->nesterov && !group_of("linear1.weight")->optimizer.nesterov);
    assert_true(has("momentum", "conv2.weight") && !has("momentum", "linear1.weight"));
    must_open("stem.weight frozen\nconv2.weight optimizer=muon frozen-after=2\n");
    assert_int_equal(grouping.n_wholes, 1);
}

/* LARS and LAMB take tensors as a whole and vectors in ranges, which end where a tensor begins even
 * where both decay. */
static void tensors_are_lars_and_lambs(void **state) {
    (void)state;
    must_open("conv2.*,bn:* optimizer=lars weight-decay=0.1 trust-coefficient=0.02\n"
              "linear1.* optimizer=lamb\nstem.weight frozen\n");
    assert_int_equal(grouping.n_wholes, 2);
    assert_string_equal(model.params[grouping.whole[0].param].name, "conv2.weight");
    assert_true(grouping.whole[0].decay == 0.1);
    assert_string_equal(model.params[grouping.whole[1].param].name, "linear1.weight");
    for (int p = 0; p < model.n_params; p++) {
        const ParamView *view = &model.params[p];
        bool whole =
            strcmp(view->name, "conv2.weight") == 0 || strcmp(view->name, "linear1.weight") == 0;
        for (int r = 0; r < grouping.n_ranges; r++)
            if (grouping.range[r].begin <= view->offset && view->offset < grouping.range[r].end)
                assert_int_equal(grouping.range[r].whole, whole);
    }
    assert_true(group_of("bn1.bias")->optimizer.trust_coefficient == 0.02);
    assert_true(has("momentum", "conv2.weight") && has("exp_avg_sq", "linear1.bias"));
    must_open("conv2.* optimizer=rmsprop momentum=0 centered\nbn:* optimizer=rmsprop\n");
    assert_int_equal(grouping.n_wholes, 0);
    assert_true(has("grad_avg", "conv2.weight") && !has("momentum", "conv2.weight"));
    assert_true(has("momentum", "bn1.bias") && !has("grad_avg", "bn1.bias"));
    assert_true(has("square_avg", "bn1.bias") && has("momentum", "linear1.weight"));
}

static void assert_rate(const char *name, int64_t step, double lr, double momentum) {
    Rates rates = param_group_rates(group_of(name), &straight, NULL, step, 4);
    if (fabs(rates.lr - lr) > 1e-12 || fabs(rates.momentum - momentum) > 1e-12)
        fail_msg("%s in step %d: lr %g, momentum %g", name, (int)step, rates.lr, rates.momentum);
}

/* The run: half a cosine from 0.5 to 0 over 8 epochs of 4 steps. */
static void rates_follow_the_line(void **state) {
    (void)state;
    must_open("bn:bias lr-factor=64\n"
              "bn:weight lr=2 momentum=0.25\n"
              "conv2.* points=0:1,3:0\n"
              "stem.weight lr=2 points=1/4:0.5,1:1.5 unit=share\n"
              "stem.bias lr-factor=3 points=0:1,8:0 unit=steps\n");
    assert_rate("linear1.bias", 16, 0.25, 0.9);
    assert_rate("bn1.bias", 0, 32, 0.9);
    assert_rate("bn1.bias", 16, 16, 0.9);
    assert_rate("bn1.weight", 0, 2, 0.25);
    assert_rate("bn1.weight", 16, 1, 0.25);
    assert_rate("conv2.weight", 0, 0.5, 0.9); /* its own curve, instead of the run's */
    assert_rate("conv2.weight", 6, 0.25, 0.9);
    assert_rate("conv2.weight", 12, 0, 0.9);
    assert_rate("conv2.weight", 30, 0, 0.9);
    assert_rate("stem.weight", 8, 1, 0.9); /* a quarter of 32 steps */
    assert_rate("stem.weight", 20, 2, 0.9);
    assert_rate("stem.bias", 4, 0.75, 0.9);
    assert_true(fabs(param_group_end(group_of("conv2.weight"), &straight, 4) - 3) < 1e-12);
    assert_true(fabs(param_group_end(group_of("stem.weight"), &straight, 4) - 8) < 1e-12);
    assert_true(fabs(param_group_end(group_of("stem.bias"), &straight, 4) - 2) < 1e-12);
    assert_true(param_group_end(group_of("bn1.bias"), &straight, 4) == 0);
}

static const struct {
    const char *text, *message;
} refused[] = {
    {"stem.* frozen\nconv2.wieght frozen",
     "x.yaml:21: 'conv2.wieght' matches no parameter; did you mean 'conv2.weight'?"},
    {"bm:bias frozen", "x.yaml:20: 'bm:bias' matches no parameter; did you mean 'bn:bias'?"},
    {"relu:bias frozen",
     "x.yaml:20: 'relu:bias' matches no parameter; the model has no 'relu' with it"},
    {"q* frozen", "x.yaml:20: 'q*' matches no parameter; there are stem.weight, stem.bias, "
                  "bn1.weight, bn1.bias, conv2.weight, norm2.weight, norm2.bias, linear1.weight, "
                  "linear1.bias"},
    {"*.bias,q* frozen", "x.yaml:20: 'q*' matches no parameter; there are stem.weight, stem.bias, "
                         "bn1.weight, bn1.bias, conv2.weight, norm2.weight, norm2.bias, "
                         "linear1.weight, linear1.bias"},
    {"*.bias frozen\nbn:bias lr-factor=2",
     "x.yaml:21: all that 'bn:bias' matches belongs to lines above: the first that matches holds, "
     "so put this one before them"},
    {"*.bias", "x.yaml:20: the group '*.bias' is as the rest: say behind the pattern what is not, "
               "as in '*.bias lr-factor=2'"},
    {"*.bias lr-facter=2", "x.yaml:20: a group has no key 'lr-facter'; did you mean 'lr-factor'?"},
    {"*.bias lr-factor", "x.yaml:20: 'lr-factor' wants a value: lr-factor=..."},
    {"*.bias lr-factor=x", "x.yaml:20: lr-factor: 'x' is not a number"},
    {"*.bias momentum=1", "x.yaml:20: momentum: '1' is out of bounds: 0 to 0.9999999"},
    {"*.bias frozen frozen", "x.yaml:20: 'frozen' is given twice"},
    {"*.bias frozen lr=2", "x.yaml:20: what is frozen is not optimized: no other key goes with "
                           "it; frozen-after=EPOCHS trains until then"},
    {"*.bias frozen-after=0", "x.yaml:20: frozen-after=0 would never train: write frozen"},
    {"*.bias lr=2 lr-factor=3", "x.yaml:20: lr and lr-factor say the same thing: give one of them"},
    {"*.bias lr=0", "x.yaml:20: lr must be above 0; lr-factor=0 or frozen train nothing"},
    {"*.bias unit=steps", "x.yaml:20: unit is of points, of which there are none"},
    {"*.bias unit=weeks points=0:1", "x.yaml:20: unit: 'weeks' must be epochs, share or steps"},
    {"*.bias points=1,2", "x.yaml:20: points: '1' is no pair of position and value, as 0:1,3:0"},
    {"*.bias points=2:1,2:0", "x.yaml:20: points: 2 must be larger than 2 before it"},
    {"*.bias points=0:1,2:0 unit=share",
     "x.yaml:20: points: 2 is more than the whole run: shares are 0 to 1; for epochs give "
     "unit=epochs"},
    {"*.bias points=1/0:1", "x.yaml:20: points: '1/0' divides by 0"},
    {"*.bias nesterov momentum=0", "x.yaml:20: nesterov wants momentum above 0"},
    {"*.weight,linear1.bias optimizer=muon",
     "x.yaml:20: muon is for matrices, but 'bn1.weight' has one dimension: put a line with "
     "optimizer=sgd for it above this one"},
    {"conv2.* muon-steps=1.5", "x.yaml:20: muon-steps: '1.5' is not a whole number"},
    {"conv2.* muon-steps=0", "x.yaml:20: muon-steps: '0' is out of bounds: 1 to 20"},
    {"*.bias nesterov=yes", "x.yaml:20: nesterov: 'yes' is neither 0 nor 1"},
    {"*.bias\001 frozen", "x.yaml:20: byte 0x01 is not text"},
};

static void mistakes_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(open_groups(refused[i].text, &sgd), ST_USAGE);
        assert_string_equal(status_message(), refused[i].message);
        status_clear();
    }
}

static void limits(void **state) {
    char text[8192] = "";
    (void)state;
    for (int i = 0; i < GROUPS_MAX + 1; i++)
        strcat(text, "* lr-factor=2\n");
    assert_int_equal(open_groups(text, &sgd), ST_USAGE);
    assert_string_equal(status_message(), "x.yaml:52: more than 32 groups");
    status_clear();
    memset(text, ' ', 300);
    memcpy(text + 290, "* frozen", 9);
    assert_int_equal(open_groups(text, &sgd), ST_USAGE);
    assert_string_equal(status_message(), "x.yaml:20: the line has more than 255 characters");
    status_clear();
}

static int setup(void **state) {
    (void)state;
    Shape image = {1, 3, 32, 32};
    return model_parse(network, "network", 1, image, 10, 0, &model) == ST_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    grouping_free(&grouping);
    model_free(&model);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_name_parameters),
        cmocka_unit_test(a_line_says_only_what_is_other),
        cmocka_unit_test(ranges_cover_all),
        cmocka_unit_test(each_has_its_own_state),
        cmocka_unit_test(matrices_are_muons),
        cmocka_unit_test(tensors_are_lars_and_lambs),
        cmocka_unit_test(rates_follow_the_line),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
