/* Every kernel on activations against plain loops in double, in float and bf16, with channels that
 * fill whole packs and that do not. Runs on a GPU, or on a simulated one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "gpu_array.h"
#include "kernels.h"
#include "lockstep/dropout.h"

enum { MAX = 8192 };

static const DType types[] = {DT_F32, DT_BF16};
static double expected[MAX];

/* One rounding to the type, and some of float on the way. */
static double tolerance_of(DType type) {
    return type == DT_BF16 ? 0x1p-8 : 1e-5;
}

/* ---- layouts ---- */

/* Weights, images, maps beyond a tile; there and back. */
static void layouts_turn(void **state) {
    (void)state;
    static const struct {
        int64_t n, c, hw, padded;
    } shapes[] = {{5, 3, 9, 8}, {2, 40, 9, 40}, {1, 3, 70, 3}, {3, 33, 1, 34}};
    for (int t = 0; t < 4; t++)
        for (int s = 0; s < 4; s++) {
            int64_t n = shapes[s].n, c = shapes[s].c, hw = shapes[s].hw, wide = shapes[s].padded;
            Array planes = array_random(n * c * hw, types[t / 2], 1);
            Array pixels = array_unset(n * hw * wide, types[t % 2]);
            Array back = array_unset(n * c * hw, DT_F32);
            check_cuda(gpu_to_nhwc(pixels.device, pixels.type, wide, planes.device, planes.type, n,
                                   c, hw, NULL));
            check_cuda(
                gpu_to_nchw(back.device, DT_F32, pixels.device, pixels.type, wide, n, c, hw, NULL));
            for (int64_t i = 0; i < pixels.count; i++)
                expected[i] = i % wide < c
                                  ? planes.host[(i / wide / hw * c + i % wide) * hw + i / wide % hw]
                                  : 0;
            array_expect(&pixels, expected, 0);
            for (int64_t i = 0; i < back.count; i++)
                expected[i] = rounded(pixels.type, planes.host[i]);
            array_expect(&back, expected, 0);
            Array cast = array_unset(planes.count, types[t % 2]);
            check_cuda(
                gpu_cast(cast.device, cast.type, planes.device, planes.type, planes.count, NULL));
            array_expect(&cast, expected, 0);
            array_free(&planes);
            array_free(&pixels);
            array_free(&back);
            array_free(&cast);
        }
}

/* ---- element by element ---- */

static double relu(double x) {
    return x <= 0 ? 0 : x;
}

typedef struct Point {
    Array a, b, y;
    DType type;
    int64_t count;
} Point;

static Point point_begin(DType type, int64_t count) {
    return (Point){array_random(count, type, 1), array_random(count, type, 2),
                   array_random(count, type, 3), type, count};
}

/* y.host still holds what was there before the launch. */
static void point_end(Point *p) {
    array_expect(&p->y, expected, tolerance_of(p->type));
    array_free(&p->a);
    array_free(&p->b);
    array_free(&p->y);
}

static void pointwise_is_right(void **state) {
    (void)state;
    enum { KINDS = 5 };
    for (int v = 0; v < 2 * 2 * 2 * KINDS; v++) {
        DType type = types[v % 2];
        int64_t count = v / 2 % 2 ? 1024 : 1003;
        bool flag = v / 4 % 2; /* relu of gpu_add, else add */
        int kind = v / 8;
        Point p = point_begin(type, count);
        void *y = p.y.device, *a = p.a.device, *b = p.b.device;
        for (int64_t i = 0; i < count; i++) {
            double va = p.a.host[i], vb = p.b.host[i], before = flag ? p.y.host[i] : 0;
            double results[KINDS] = {flag ? relu(va + vb) : va + vb, relu(va),
                                     before + (vb <= 0 ? 0 : va), before + 0.125 * va, va};
            expected[i] = results[kind];
        }
        if (kind == 0)
            check_cuda(gpu_add(y, a, b, type, count, flag, NULL));
        else if (kind == 1)
            check_cuda(gpu_relu(y, a, type, count, NULL));
        else if (kind == 2)
            check_cuda(gpu_relu_backward(y, a, b, type, count, flag, NULL));
        else if (kind == 3)
            check_cuda(gpu_scale(y, a, 0.125, type, count, flag, NULL));
        else /* in place */
            check_cuda(gpu_scale(y = a, a, 1, type, count, false, NULL));
        if (kind == 4)
            check_cuda(cudaMemcpy(p.y.device, a, (size_t)count * dtype_size(type),
                                  cudaMemcpyDeviceToDevice));
        point_end(&p);
    }
}

static const struct {
    Activation function;
    double slope;
} activations[] = {{ACTIVATION_SILU, 0},
                   {ACTIVATION_SIGMOID, 0},
                   {ACTIVATION_TANH, 0},
                   {ACTIVATION_RELU6, 0},
                   {ACTIVATION_LEAKY_RELU, 0.3}};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

/* The value at x, and the slope, of what backward reads: x of silu, the output of the others. */
static double activation(int kind, double x) {
    double s = 1 / (1 + exp(-x));
    const double values[ACTIVATIONS] = {x * s, s, tanh(x), fmin(relu(x), 6), x > 0 ? x : 0.3 * x};
    return values[kind];
}

static double activation_slope(int kind, double at) {
    double s = 1 / (1 + exp(-at));
    const double slopes[ACTIVATIONS] = {s + at * s * (1 - s), at * (1 - at), 1 - at * at,
                                        at > 0 && at<6, at> 0 ? 1 : 0.3};
    return slopes[kind];
}

static void activations_are_right(void **state) {
    (void)state;
    for (int v = 0; v < 8 * ACTIVATIONS; v++) {
        DType type = types[v % 2];
        int64_t count = v / 2 % 2 ? 1024 : 1003;
        bool add = v / 4 % 2;
        int kind = v / 8;
        Activation function = activations[kind].function;
        double slope = activations[kind].slope;
        Point p = point_begin(type, count);
        for (int64_t i = 0; i < count; i++)
            expected[i] =
                (add ? p.y.host[i] : 0) + p.a.host[i] * activation_slope(kind, p.b.host[i]);
        check_cuda(gpu_activation_backward(p.y.device, p.a.device, p.b.device, function, slope,
                                           type, count, add, NULL));
        array_expect(&p.y, expected, tolerance_of(type));
        for (int64_t i = 0; i < count; i++)
            expected[i] = activation(kind, p.a.host[i]);
        check_cuda(gpu_activation(p.y.device, p.a.device, function, slope, type, count, NULL));
        point_end(&p);
    }
}

static void activations_keep_nan(void **state) {
    (void)state;
    enum { COUNT = 100 };
    for (int v = 0; v < 2 * ACTIVATIONS; v++) {
        Array nan = array_unset(COUNT, types[v % 2]), y = array_random(COUNT, types[v % 2], 1);
        check_cuda(gpu_activation(y.device, nan.device, activations[v / 2].function,
                                  activations[v / 2].slope, y.type, COUNT, NULL));
        array_fetch(&y);
        for (int i = 0; i < COUNT; i++)
            assert_true(isnan(y.host[i]));
        array_free(&nan);
        array_free(&y);
    }
}

static void bias_is_added(void **state) {
    (void)state;
    for (int v = 0; v < 8; v++) {
        DType type = types[v % 2];
        int64_t channels = v / 2 % 2 ? 16 : 10, rows = 37;
        Array y = array_random(rows * channels, type, 1), bias = array_random(channels, DT_F32, 2);
        for (int64_t i = 0; i < y.count; i++) {
            expected[i] = y.host[i] + bias.host[i % channels];
            if (v / 4)
                expected[i] = relu(expected[i]);
        }
        check_cuda(gpu_bias(y.device, bias.device, type, rows, channels, v / 4, NULL));
        array_expect(&y, expected, tolerance_of(type));
        array_free(&y);
        array_free(&bias);
    }
}

static void dropout_is_the_cpus(void **state) {
    (void)state;
    const double rate = 0.3;
    const KernelRun run = {.seed = 9, .step = 5000000000, .lane = 6};
    KernelRun *on_device = device_copy(&run, sizeof run);
    static uint8_t mask[MAX];
    for (int v = 0; v < 8; v++) {
        DType type = types[v % 2];
        bool add = v / 2 % 2;
        int64_t n = 3, hw = 7, channels = v / 4 ? 16 : 5, count = n * hw * channels;
        Array x = array_random(count, type, 1), y = array_random(count, type, 2);
        uint8_t *keep = device_unset((size_t)count);
        check_cuda(gpu_dropout_mask(keep, count, on_device, 4, rate, NULL));
        check_cuda(
            gpu_dropout_apply(y.device, x.device, keep, type, n, hw, channels, rate, add, NULL));
        host_copy(mask, keep, (size_t)count);
        DropoutKey key = dropout_key(run.seed, run.step, run.lane, 4, rate);
        for (int64_t i = 0; i < count; i++)
            assert_int_equal(mask[i], dropout_keeps(key, dropout_block(key, i / 4).word[i % 4]));
        for (int64_t i = 0; i < count; i++) {
            int64_t logical =
                (i / channels / hw * channels + i % channels) * hw + i / channels % hw;
            expected[i] = (add ? y.host[i] : 0) +
                          (mask[logical] ? x.host[i] * (float)dropout_scale(rate) : 0);
        }
        array_expect(&y, expected, tolerance_of(type));
        array_free(&x);
        array_free(&y);
        check_cuda(cudaFree(keep));
    }
    check_cuda(cudaFree(on_device));
}

/* ---- loss ---- */

static double target_of(double smoothing, int64_t classes, bool is_label) {
    return (is_label ? 1 - smoothing : 0) + smoothing / (double)classes;
}

static void loss_is_right(void **state) {
    (void)state;
    enum { N = 5, CLASSES = 10 };
    const double smoothing = 0.2;
    const int32_t labels[N] = {3, 0, 9, 5, 5};
    const KernelRun run = {.loss_scale = 0.125};
    KernelRun *on_device = device_copy(&run, sizeof run);
    int32_t *label = device_copy(labels, sizeof labels), *winner = device_unset(sizeof labels);
    const SecondLabel seconds[N] = {
        {7, MIX_ONE / 4}, {0, 0}, {1, MIX_ONE}, {5, 1000}, {0, MIX_ONE / 2}};
    SecondLabel *second = device_copy(seconds, sizeof seconds);
    const float weights[CLASSES] = {1, 0.5f, 2, 0.25f, 1, 3, 1, 0.125f, 1, 0.75f};
    float *weight = device_copy(weights, sizeof weights);
    for (int v = 0; v < 16; v++) {
        DType type = types[v % 2];
        bool add = v / 2 % 2 == 1, mixed = v / 4 % 2 == 1, weighs = v >= 8;
        Array x = array_random(N * CLASSES, type, 1), grad = array_random(N * CLASSES, type, 2);
        Array loss = array_unset(N, DT_F32);
        double losses[N] = {0};
        int32_t predicted[N], best[N] = {0};
        for (int n = 0; n < N; n++) {
            const float *row = x.host + n * CLASSES;
            double sum = 0, target[CLASSES], whole = 0;
            for (int c = 0; c < CLASSES; c++) {
                double part = mixed ? (double)seconds[n].share / MIX_ONE : 0;
                target[c] = (1 - part) * target_of(smoothing, CLASSES, c == labels[n]) +
                            part * target_of(smoothing, CLASSES, c == seconds[n].label);
                target[c] *= weighs ? (double)weights[c] : 1;
                whole += target[c];
                sum += exp(row[c]);
            }
            for (int c = 0; c < CLASSES; c++) {
                best[n] = row[c] > row[best[n]] ? c : best[n];
                losses[n] -= target[c] * (row[c] - log(sum));
                expected[n * CLASSES + c] =
                    (add ? grad.host[n * CLASSES + c] : 0) +
                    (exp(row[c]) / sum * whole - target[c]) * run.loss_scale;
            }
        }
        check_cuda(gpu_softmax_ce(loss.device, winner, x.device, type, label, mixed ? second : NULL,
                                  weighs ? weight : NULL, N, CLASSES, smoothing, NULL));
        check_cuda(gpu_softmax_ce_backward(grad.device, x.device, type, label,
                                           mixed ? second : NULL, weighs ? weight : NULL, N,
                                           CLASSES, smoothing, on_device, add, NULL));
        array_expect(&grad, expected, tolerance_of(type));
        array_expect(&loss, losses, 1e-6);
        host_copy(predicted, winner, sizeof predicted);
        assert_memory_equal(predicted, best, sizeof best);
        array_free(&x);
        array_free(&grad);
        array_free(&loss);
    }
    check_cuda(cudaFree(label));
    check_cuda(cudaFree(second));
    check_cuda(cudaFree(weight));
    check_cuda(cudaFree(winner));
    check_cuda(cudaFree(on_device));
}

/* Ties go to the lowest class; a label that is none gives NaN. */
static void odd_rows_of_logits(void **state) {
    (void)state;
    const float logits[3][3] = {{1, 1, 0}, {-5, 2, 2}, {1, 2, 3}};
    const int32_t labels[3] = {0, 1, 3};
    float loss[3];
    int32_t predicted[3];
    float *x = device_copy(logits, sizeof logits), *out = device_unset(sizeof loss);
    int32_t *label = device_copy(labels, sizeof labels), *winner = device_unset(sizeof labels);
    check_cuda(gpu_softmax_ce(out, winner, x, DT_F32, label, NULL, NULL, 3, 3, 0, NULL));
    host_copy(loss, out, sizeof loss);
    host_copy(predicted, winner, sizeof predicted);
    assert_int_equal(predicted[0], 0);
    assert_int_equal(predicted[1], 1);
    assert_int_equal(predicted[2], 2);
    assert_true(isfinite(loss[0]) && isfinite(loss[1]) && isnan(loss[2]));
    void *all[] = {x, out, label, winner};
    for (int i = 0; i < 4; i++)
        check_cuda(cudaFree(all[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_turn),         cmocka_unit_test(pointwise_is_right),
        cmocka_unit_test(bias_is_added),        cmocka_unit_test(activations_are_right),
        cmocka_unit_test(activations_keep_nan), cmocka_unit_test(dropout_is_the_cpus),
        cmocka_unit_test(loss_is_right),        cmocka_unit_test(odd_rows_of_logits),
    };
    if (skip_without_gpu())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
