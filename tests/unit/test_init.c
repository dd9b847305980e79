/* Initial weights against the formulas of PyTorch's torch.nn.init, and normal numbers against erfc
 * and tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/model.h"
#include "lockstep/normal.h"

enum { OUT = 64, IN = 48, SIDE = 3, COUNT = OUT * IN * SIDE * SIDE };

static Model model;
static float *weights, running[1];

static int setup(void **state) {
    static const char text[] = "conv c=64 k=3\nmaxpool global\nlinear c=10";
    (void)state;
    if (model_parse(text, "test", 1, (Shape){1, IN, 8, 8}, 10, 0, &model) != ST_OK)
        return -1;
    weights = malloc((size_t)model.flat * sizeof *weights);
    return weights == NULL ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    free(weights);
    model_free(&model);
    return 0;
}

/* The convolution's weight, initialised so. */
static const float *make(InitKind init, double arg, uint64_t seed) {
    model.params[0].spec.init = init;
    model.params[0].spec.init_arg = arg;
    model_init(&model, seed, weights, running);
    return weights + model.params[0].offset;
}

static double moment(const float *value, int power) {
    double sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += pow(value[i], power);
    return sum / COUNT;
}

/* To six standard deviations of what COUNT numbers give. */
static void assert_normal(const float *value, double deviation) {
    double square = deviation * deviation, off = 6 / sqrt(COUNT);
    int64_t within[2] = {0, 0};
    assert_true(fabs(moment(value, 1)) < off * deviation);
    assert_true(fabs(moment(value, 2) / square - 1) < off * sqrt(2));
    assert_true(fabs(moment(value, 4) / (square * square) - 3) < off * sqrt(96));
    for (int i = 0; i < COUNT; i++) {
        within[0] += fabs(value[i]) < deviation;
        within[1] += fabs(value[i]) < 2 * deviation;
    }
    assert_true(fabs((double)within[0] / COUNT - erf(sqrt(0.5))) < off / 2);
    assert_true(fabs((double)within[1] / COUNT - erf(sqrt(2))) < off / 2);
}

static void assert_uniform(const float *value, double bound) {
    double largest = 0, off = 6 / sqrt(COUNT);
    for (int i = 0; i < COUNT; i++)
        largest = fabs(value[i]) > largest ? fabs(value[i]) : largest;
    assert_true(largest <= (float)bound && largest > 0.999 * bound);
    assert_true(fabs(moment(value, 1)) < off * bound / sqrt(3));
    assert_true(fabs(moment(value, 2) / (bound * bound) - 1.0 / 3) < off * sqrt(4.0 / 45));
}

static void assert_constant(const float *value, float constant) {
    for (int i = 0; i < COUNT; i++)
        assert_true(value[i] == constant);
}

static void constants_are_exact(void **state) {
    (void)state;
    assert_constant(make(INIT_ZERO, 7, 1), 0);
    assert_constant(make(INIT_ONE, 7, 1), 1);
    assert_constant(make(INIT_CONSTANT, -0.25, 1), -0.25f);
}

static void uniform_bounds(void **state) {
    double fan_in = IN * 9, fan_out = OUT * 9;
    (void)state;
    assert_uniform(make(INIT_UNIFORM, 0.3, 1), 0.3);
    assert_uniform(make(INIT_FAN_IN_UNIFORM, 1, 2), 1 / sqrt(fan_in));
    assert_uniform(make(INIT_GLOROT_UNIFORM, 1, 3), sqrt(6 / (fan_in + fan_out)));
    assert_uniform(make(INIT_GLOROT_UNIFORM, 0.5, 4), 0.5 * sqrt(6 / (fan_in + fan_out)));
    assert_uniform(make(INIT_HE_UNIFORM, sqrt(2), 5), sqrt(6 / fan_in));
}

static void normal_deviations(void **state) {
    double fan_in = IN * 9, fan_out = OUT * 9;
    (void)state;
    assert_normal(make(INIT_NORMAL, 0.02, 1), 0.02);
    assert_normal(make(INIT_GLOROT_NORMAL, 1, 2), sqrt(2 / (fan_in + fan_out)));
    assert_normal(make(INIT_HE_NORMAL, sqrt(2), 3), sqrt(2 / fan_in));
    assert_normal(make(INIT_HE_NORMAL, 1, 4), sqrt(1 / fan_in));
}

/* PyTorch's default is the uniform one by fan-in, which layers spell as its bound: the same bits.
 */
static void default_is_by_fan_in(void **state) {
    (void)state;
    float first = make(INIT_UNIFORM, 1 / sqrt(IN * 9), 9)[5];
    assert_true(make(INIT_FAN_IN_UNIFORM, 1, 9)[5] == first);
}

/* out[o] = in[o] for o < min(OUT, IN). */
static void dirac_is_the_identity(void **state) {
    (void)state;
    const float *value = make(INIT_DIRAC, 1, 1);
    for (int o = 0; o < OUT; o++)
        for (int i = 0; i < IN; i++)
            for (int at = 0; at < SIDE * SIDE; at++)
                assert_true(value[(o * IN + i) * SIDE * SIDE + at] == (o == i && at == 4));
}

/* The weights that text asks for. */
static const float *by_text(const char *words, const char *layer, uint64_t seed) {
    char text[256];
    snprintf(text, sizeof text, "%s\nconv c=64 k=3 bias %s\nmaxpool global\nlinear c=10",
             words ? words : "", layer);
    free(weights);
    model_free(&model);
    if (model_parse(text, "m", 1, (Shape){1, IN, 8, 8}, 10, 0, &model) != ST_OK)
        fail_msg("%s", status_message());
    weights = malloc((size_t)model.flat * sizeof *weights);
    model_init(&model, seed, weights, running);
    return weights + model.params[0].offset;
}

static float largest_bias(void) {
    float largest = 0;
    for (int64_t i = 0; i < model.params[1].count; i++)
        largest = fmaxf(largest, fabsf(weights[model.params[1].offset + i]));
    return largest;
}

/* torch.nn.init's: kaiming_ with a = 0, xavier_ with gain 1, Conv2d's and Linear's own. */
static void text_asks_for(void **state) {
    double fan_in = IN * 9, fan_out = OUT * 9;
    (void)state;
    assert_uniform(by_text(NULL, "", 1), 1 / sqrt(fan_in));
    assert_true(largest_bias() <= 1 / sqrt(fan_in) && largest_bias() > 0.9 / sqrt(fan_in));
    assert_uniform(by_text(NULL, "init=fan_in_uniform gain=2", 1), 2 / sqrt(fan_in));
    assert_normal(by_text(NULL, "init=he_normal", 1), sqrt(2 / fan_in));
    assert_normal(by_text(NULL, "init=he_normal gain=1", 1), sqrt(1 / fan_in));
    assert_uniform(by_text(NULL, "init=he_uniform", 1), sqrt(6 / fan_in));
    assert_normal(by_text(NULL, "init=glorot_normal", 1), sqrt(2 / (fan_in + fan_out)));
    assert_uniform(by_text(NULL, "init=glorot_uniform", 1), sqrt(6 / (fan_in + fan_out)));
    assert_normal(by_text(NULL, "init=normal", 1), 1);
    assert_normal(by_text(NULL, "init=normal std=0.02 bias_init=zero", 1), 0.02);
    assert_true(largest_bias() == 0);
    by_text(NULL, "bias_init=normal std=0.5", 1);
    assert_true(largest_bias() > 1 && largest_bias() < 2); /* of 64 */
    assert_constant(by_text(NULL, "init=zero", 1), 0);
}

static void defaults_of_text(void **state) {
    double fan_in = IN * 9, fan_out = OUT * 9;
    (void)state;
    assert_normal(by_text("default conv init=he_normal", "", 1), sqrt(2 / fan_in));
    assert_uniform(by_text("default init=glorot_uniform bias_init=zero", "", 1),
                   sqrt(6 / (fan_in + fan_out)));
    assert_true(largest_bias() == 0);
    assert_int_equal(model.params[2].spec.init, INIT_GLOROT_UNIFORM); /* linear's */
    assert_int_equal(model.params[3].spec.init, INIT_ZERO);
    assert_normal(by_text("default init=glorot_uniform\ndefault conv init=normal std=0.1", "", 1),
                  0.1);
    assert_int_equal(model.params[2].spec.init, INIT_GLOROT_UNIFORM);
    assert_uniform(by_text("default linear init=zero", "", 1), 1 / sqrt(fan_in));
    assert_int_equal(model.params[2].spec.init, INIT_ZERO);
}

/* airbench94: dirac_(w[:w.size(1)]) of a weight that began by default. */
static void partial_dirac(void **state) {
    float *plain = malloc(COUNT * sizeof *plain);
    (void)state;
    memcpy(plain, by_text(NULL, "", 5), COUNT * sizeof *plain);
    const float *value = by_text(NULL, "init=partial_dirac", 5);
    for (int o = 0; o < OUT; o++)
        for (int i = 0; i < IN; i++)
            for (int at = 0; at < SIDE * SIDE; at++) {
                int e = (o * IN + i) * SIDE * SIDE + at;
                assert_true(value[e] == (o < IN ? (float)(o == i && at == 4) : plain[e]));
            }
    free(plain);
    value = by_text(NULL, "init=dirac gain=0.5", 5);
    assert_true(value[4] == 0.5f && value[0] == 0 && value[COUNT - 1] == 0);
}

static void refused_text(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"conv c=4 k=1 init=he_norml",
         "m:1: conv: no 'init' is called 'he_norml'; did you mean 'he_normal'?"},
        {"conv c=4 k=1 init=orthogonal",
         "m:1: conv: no 'init' is called 'orthogonal'; there are zero, normal, fan_in_uniform, "
         "he_normal, he_uniform, glorot_normal, glorot_uniform, dirac, partial_dirac, whitening"},
        {"conv c=4 k=1 init", "m:1: conv: 'init' wants a value: init=WORD"},
        {"conv c=4 k=1 init=", "m:1: conv: no 'init' is called ''; there are zero, normal, "
                               "fan_in_uniform, he_normal, he_uniform, glorot_normal, "
                               "glorot_uniform, dirac, partial_dirac, whitening"},
        {"conv c=4 k=1 bias_init=dirac",
         "m:1: conv: no 'bias_init' is called 'dirac'; there are zero, normal, fan_in_uniform"},
        {"conv c=4 k=1 std=0.1", "m:1: conv: 'std' has no meaning with init=fan_in_uniform"},
        {"conv c=4 k=1 bias_init=zero", "m:1: conv: 'bias_init' has no meaning without a bias"},
        {"linear c=4 bias=0 bias_init=normal std=2",
         "m:1: linear: 'std' has no meaning with init=fan_in_uniform"},
        {"conv c=4 k=1 init=zero gain=2", "m:1: conv: 'gain' has no meaning with init=zero"},
        {"conv c=4 k=1 init=dirac whitening_eps=1",
         "m:1: conv: 'whitening_eps' has no meaning with init=dirac"},
        {"default conv std=0.1\nrelu", "m:1: conv: 'std' has no meaning with init=fan_in_uniform"},
        {"default init=nromal\nrelu",
         "m:1: conv: no 'init' is called 'nromal'; did you mean 'normal'?"},
        {"default init=zero c=4\nrelu",
         "m:1: 'c=4' is not for all weights: name a kind, as in 'default conv c=4'"},
        {"relu init=zero", "m:1: relu has no argument 'init'; it takes from"},
        {"conv c=4 k=1 init=normal std=0", "m:1: conv: 'std=0' is out of bounds: 1e-09 to 1e+06"},
        {"linear c=24 init=whitening",
         "m:1: linear: init=whitening is made of patches of images: only a convolution of all "
         "channels that reads the image can begin so"},
        {"relu\nconv c=24 k=2 init=whitening",
         "m:2: conv: init=whitening is made of patches of images: only a convolution of all "
         "channels that reads the image can begin so"},
        {"conv c=16 k=2 init=whitening",
         "m:1: conv: init=whitening makes 2 x 3 x 2 x 2 filters, two of opposite sign for each "
         "number of a patch: give c=24"},
        {"conv c=294 k=7 init=whitening", "m:1: conv: init=whitening takes k=6 at most"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model refused;
        assert_int_equal(model_parse(cases[i].text, "m", 1, (Shape){1, 3, 8, 8}, 10, 0, &refused),
                         ST_USAGE);
        assert_string_equal(status_message(), cases[i].message);
        status_clear();
    }
}

/* A described layer shows what is not usual, and reads back. */
static void described_text(void **state) {
    char *shown = NULL;
    size_t size = 0;
    Model net;
    (void)state;
    assert_int_equal(
        model_parse("conv c=4 k=1 init=he_normal bias\nconv c=4 k=1 init=he_normal "
                    "gain=1 bias bias_init=zero\nconv c=4 k=1\nlinear c=10 init=normal "
                    "std=0.5\n",
                    "m", 1, (Shape){1, 3, 8, 8}, 10, 0, &net),
        ST_OK);
    FILE *out = open_memstream(&shown, &size);
    model_describe(&net, 1, out);
    fclose(out);
    assert_non_null(strstr(shown, "  conv c=4 k=1 bias init=he_normal  "));
    assert_non_null(strstr(shown, "  conv c=4 k=1 bias init=he_normal gain=1 bias_init=zero  "));
    assert_non_null(strstr(shown, "  conv c=4 k=1  "));
    assert_non_null(strstr(shown, "  linear c=10 init=normal std=0.5  "));
    free(shown);
    model_free(&net);
}

/* By default no weight that text has a say in begins at 0, and a kind whose infer asks how it
 * begins has a rule. */
static void kinds_have_rules(void **state) {
    (void)state;
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        const LayerType *type = layer_type((LayerKind)kind);
        char text[1024];
        Model net;
        snprintf(text, sizeof text, "%s%s", type->example, type->is_loss ? "" : "\nlinear c=10");
        assert_int_equal(model_parse(text, "m", 1, (Shape){1, 3, 32, 32}, 10, 0, &net), ST_OK);
        for (int i = 0; i < net.n_params; i++) {
            if (strcmp(net.params[i].spec.role, "weight") == 0 &&
                net.params[i].spec.init == INIT_ZERO)
                fail_msg("%s: %s begins at 0: give layer kind %s a .init (LayerType)", text,
                         net.params[i].name, type->name);
        }
        model_free(&net);
    }
}

/* A learned vector: class_token's, positions'. */
static void vectors_of_text(void **state) {
    Model net;
    (void)state;
    assert_int_equal(model_parse("default positions std=0.02\npatches k=4\nclass_token "
                                 "init=zero\npositions\npositions std=0.5\nlinear c=10",
                                 "m", 1, (Shape){1, 3, 32, 32}, 10, 0, &net),
                     ST_OK);
    assert_true(net.params[0].spec.init == INIT_ZERO);
    assert_true(net.params[1].spec.init == INIT_NORMAL && net.params[1].spec.init_arg == 0.02);
    assert_true(net.params[2].spec.init == INIT_NORMAL && net.params[2].spec.init_arg == 0.5);
    model_free(&net);
    assert_int_equal(
        model_parse("positions gain=2\nlinear c=10", "m", 1, (Shape){1, 3, 32, 32}, 10, 0, &net),
        ST_USAGE);
    assert_string_equal(status_message(),
                        "m:1: positions has no argument 'gain'; it takes init, std, from");
    status_clear();
}

/* The words of text are the names of what they stand for. */
static void words_are_names(void **state) {
    (void)state;
    for (const LayerArg *arg = layer_init_weight.args; arg->key; arg++)
        for (int i = 0; arg->words && arg->words[i]; i++)
            assert_string_equal(arg->words[i], init_name((InitKind)i));
    for (int i = 0; layer_init_vector.args[0].words[i]; i++)
        assert_string_equal(layer_init_vector.args[0].words[i], init_name((InitKind)i));
}

static void normal_numbers(void **state) {
    /* Quantiles as tables have them. */
    static const double known[][2] = {{0.5, 0},
                                      {0.975, 1.959963984540054},
                                      {0.995, 2.5758293035489004},
                                      {0.9999, 3.719016485455709},
                                      {1e-6, -4.753424308822899},
                                      {1e-9, -5.997807015007687}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(fabs(normal_quantile(known[i][0]) - known[i][1]) <= 2e-15 * fabs(known[i][1]));
    /* Against the distribution function, over all of the range that a word reaches. */
    for (double p = 0x1p-33; p < 0.5; p *= 1.01) {
        double x = normal_quantile(p), back = 0.5 * erfc(-x / sqrt(2));
        /* a rounding of x moves p by x^2 of its own; some roundings, erfc's own among them */
        assert_true(fabs(back / p - 1) < 8 * 0x1p-53 * (1 + x * x));
        if (p > 1e-3) /* where 1 - p has the digits */
            assert_true(fabs(normal_quantile(1 - p) + normal_quantile(p)) < 1e-13);
    }
    assert_true(normal_from(UINT32_MAX) == -normal_from(0));
    assert_true(normal_from(0x80000000u) > 0 && normal_from(0x7fffffffu) < 0);
}

/* Part of the promise of same bits: these must never change. They are also what Python's
 * statistics.NormalDist().inv_cdf((word + 0.5) / 2**32) gives, which is AS 241 as well. */
static void normal_numbers_are_pinned(void **state) {
    (void)state;
    assert_true(normal_from(1) == -0x1.8aa6c7fe07fdep+2);
    assert_true(normal_from(0x01234567u) == -0x1.4ee2dc0c11755p+1);
    assert_true(normal_from(0xc0000000u) == 0x1.5956b8784e3d9p-1);
    assert_true(make(INIT_NORMAL, 0.02, 1)[77] == 0x1.a3c1ecp-7f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_exact),
        cmocka_unit_test(uniform_bounds),
        cmocka_unit_test(normal_deviations),
        cmocka_unit_test(default_is_by_fan_in),
        cmocka_unit_test(dirac_is_the_identity),
        cmocka_unit_test(normal_numbers),
        cmocka_unit_test(normal_numbers_are_pinned),
        cmocka_unit_test(text_asks_for),
        cmocka_unit_test(defaults_of_text),
        cmocka_unit_test(partial_dirac),
        cmocka_unit_test(refused_text),
        cmocka_unit_test(described_text),
        cmocka_unit_test(words_are_names),
        cmocka_unit_test(kinds_have_rules),
        cmocka_unit_test(vectors_of_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
