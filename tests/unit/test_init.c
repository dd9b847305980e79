/* Initial weights against the formulas of PyTorch's torch.nn.init, and normal numbers against erfc
 * and tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

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
        cmocka_unit_test(constants_are_exact),       cmocka_unit_test(uniform_bounds),
        cmocka_unit_test(normal_deviations),         cmocka_unit_test(default_is_by_fan_in),
        cmocka_unit_test(dirac_is_the_identity),     cmocka_unit_test(normal_numbers),
        cmocka_unit_test(normal_numbers_are_pinned),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
