/* Kernels that add up over windows and rows: pools and batch norm against plain loops in double.
 * Runs on a GPU, or on a simulated one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "gpu_array.h"
#include "kernels.h"

enum { MAX = 65536 };

static const DType types[] = {DT_F32, DT_BF16};
static double expected[MAX], expected2[MAX];

static double tolerance_of(DType type) {
    return type == DT_BF16 ? 0x1p-7 : 1e-5;
}

/* ---- pools ---- */

static const PoolShape pools[] = {
    {.n = 2, .c = 8, .in_h = 6, .in_w = 6, .out_h = 3, .out_w = 3, .kernel = 2, .stride = 2},
    {2, 5, 7, 7, 4, 4, 3, 2, 1, false}, /* windows overlap and hang over */
    {3, 16, 4, 4, 1, 1, 4, 4, 0, false},
    {1, 6, 5, 5, 2, 2, 2, 2, 0, false}, /* a row and column that no window has */
    {2, 8, 7, 7, 4, 4, 3, 2, 1, true},
};
enum { POOLS = sizeof pools / sizeof *pools };

/* Element c of place (h, w) of image n. */
static int64_t in_at(const PoolShape *s, int64_t n, int64_t h, int64_t w, int64_t c) {
    return ((n * s->in_h + h) * s->in_w + w) * s->c + c;
}

/* Calls visit for each place of each window, in the order of windows. */
typedef void (*VisitFn)(void *context, int64_t out, int64_t in, int64_t place, int64_t c);
static void each_place(const PoolShape *s, VisitFn visit, void *context) {
    for (int64_t o = 0; o < (int64_t)s->n * s->out_h * s->out_w * s->c; o++) {
        int64_t c = o % s->c, j = o / s->c % s->out_w, i = o / s->c / s->out_w % s->out_h;
        int64_t n = o / s->c / s->out_w / s->out_h;
        for (int64_t place = 0; place < s->kernel * s->kernel; place++) {
            int64_t h = i * s->stride - s->pad + place / s->kernel;
            int64_t w = j * s->stride - s->pad + place % s->kernel;
            if (h >= 0 && h < s->in_h && w >= 0 && w < s->in_w)
                visit(context, o, in_at(s, n, h, w, c), place, c);
        }
    }
}

typedef struct Pooling {
    Array x, y, grad_x, grad_y;
    double largest[MAX], sum[MAX];
    int64_t winner[MAX], places[MAX], counted[MAX];
} Pooling;

static void see_value(void *context, int64_t out, int64_t in, int64_t place, int64_t c) {
    Pooling *p = context;
    double value = p->x.host[in];
    (void)c;
    if (p->places[out]++ == 0 || value > p->largest[out]) {
        p->largest[out] = value;
        p->winner[out] = place;
    }
    p->sum[out] += value;
}

static void give_largest(void *context, int64_t out, int64_t in, int64_t place, int64_t c) {
    Pooling *p = context;
    (void)c;
    expected[in] += p->winner[out] == place ? p->grad_y.host[out] : 0;
}

static void give_mean(void *context, int64_t out, int64_t in, int64_t place, int64_t c) {
    Pooling *p = context;
    (void)place, (void)c;
    expected[in] += p->grad_y.host[out] / (double)p->counted[out];
}

static void expect_gradient(Pooling *p, const PoolShape *s, VisitFn give, bool add) {
    for (int64_t i = 0; i < p->grad_x.count; i++)
        expected[i] = add ? p->grad_x.host[i] : 0;
    each_place(s, give, p);
    array_expect(&p->grad_x, expected, tolerance_of(p->x.type));
}

static void pool_once(DType type, const PoolShape *s, bool add) {
    static Pooling p;
    int64_t in = (int64_t)s->n * s->in_h * s->in_w * s->c;
    int64_t out = (int64_t)s->n * s->out_h * s->out_w * s->c;
    static uint16_t found[MAX];
    memset(&p, 0, sizeof p);
    p.x = array_random(in, type, 1);
    p.grad_y = array_random(out, type, 2);
    p.grad_x = array_random(in, type, 3);
    p.y = array_unset(out, type);
    uint16_t *winner = device_unset((size_t)out * sizeof *winner);
    each_place(s, see_value, &p);
    check_cuda(gpu_maxpool(p.y.device, winner, p.x.device, type, *s, NULL));
    array_expect(&p.y, p.largest, 0);
    host_copy(found, winner, (size_t)out * sizeof *winner);
    for (int64_t o = 0; o < out; o++) {
        assert_int_equal(found[o], p.winner[o]);
        p.counted[o] = s->count_pad ? s->kernel * s->kernel : p.places[o];
        p.sum[o] /= (double)p.counted[o];
    }
    check_cuda(gpu_maxpool_backward(p.grad_x.device, p.grad_y.device, winner, type, *s, add, NULL));
    expect_gradient(&p, s, give_largest, add);
    check_cuda(gpu_avgpool(p.y.device, p.x.device, type, *s, NULL));
    array_expect(&p.y, p.sum, tolerance_of(type));
    check_cuda(gpu_avgpool_backward(p.grad_x.device, p.grad_y.device, type, *s, add, NULL));
    expect_gradient(&p, s, give_mean, add);
    Array *all[] = {&p.x, &p.y, &p.grad_x, &p.grad_y};
    for (int i = 0; i < 4; i++)
        array_free(all[i]);
    check_cuda(cudaFree(winner));
}

static void pools_are_right(void **state) {
    (void)state;
    for (int v = 0; v < 4 * POOLS; v++)
        pool_once(types[v % 2], &pools[v / 4], v / 2 % 2);
}

/* ---- batch norm ---- */

typedef struct Norm {
    int64_t rows, channels;
    DType type;
    bool relu, add; /* add: z to the result, and the gradient to what is there */
    Array x, y, z, grad_y, grad_x, weight, bias, mean, rstd, stats_mean, stats_var, grad_weight,
        grad_bias;
    void *scratch;
} Norm;

static const double eps = 1e-5;

/* Writes what the forward pass must give into expected and expected2 (mean, var of channels). */
static void expect_forward(Norm *p, const float *mean, const float *var) {
    for (int64_t i = 0; i < p->rows * p->channels; i++) {
        int64_t c = i % p->channels;
        double normal = (p->x.host[i] - mean[c]) / sqrt(var[c] + eps);
        double value = p->weight.host[c] * normal + p->bias.host[c];
        value += p->add ? p->z.host[i] : 0;
        expected[i] = p->relu && value <= 0 ? 0 : value;
    }
    array_expect(&p->y, expected, tolerance_of(p->type));
}

static void check_train(Norm *p) {
    float mean[64], var[64];
    check_cuda(gpu_bn_train(p->y.device, p->mean.device, p->rstd.device, p->stats_mean.device,
                            p->stats_var.device, p->x.device, p->add ? p->z.device : NULL,
                            p->weight.device, p->bias.device, p->type, p->rows, p->channels, eps,
                            p->relu, p->scratch, NULL));
    for (int64_t c = 0; c < p->channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < p->rows; r++)
            sum += p->x.host[r * p->channels + c] / (double)p->rows;
        for (int64_t r = 0; r < p->rows; r++)
            squares += pow(p->x.host[r * p->channels + c] - sum, 2);
        mean[c] = (float)sum;
        var[c] = (float)(squares / (double)p->rows);
        expected[c] = sum;
        expected2[c] = p->rows > 1 ? squares / (double)(p->rows - 1) : 0;
    }
    array_expect(&p->stats_mean, expected, 1e-5);
    array_expect(&p->mean, expected, 1e-5);
    array_expect(&p->stats_var, expected2, 1e-5);
    if (p->rows > 1) /* of one row all is bias, whatever rounding does to the mean */
        expect_forward(p, mean, var);
    array_fetch(&p->mean);
    array_fetch(&p->rstd);
    array_fetch(&p->y);
}

static double gradient_at(const Norm *p, int64_t i) {
    return p->relu && p->y.host[i] <= 0 ? 0 : p->grad_y.host[i];
}

static double normal_at(const Norm *p, int64_t i) {
    int64_t c = i % p->channels;
    return (p->x.host[i] - (double)p->mean.host[c]) * p->rstd.host[c];
}

static void check_backward(Norm *p) {
    const void *mask = p->relu ? p->y.device : NULL;
    double tolerance = 1e-4 * sqrt((double)p->rows);
    check_cuda(gpu_bn_backward(p->grad_x.device, p->grad_weight.device, p->grad_bias.device,
                               p->grad_y.device, p->x.device, mask, p->weight.device,
                               p->mean.device, p->rstd.device, p->type, p->rows, p->channels,
                               p->add, p->scratch, NULL));
    memset(expected, 0, sizeof expected);
    memset(expected2, 0, sizeof expected2);
    for (int64_t i = 0; i < p->rows * p->channels; i++) {
        expected[i % p->channels] += gradient_at(p, i);
        expected2[i % p->channels] += gradient_at(p, i) * normal_at(p, i);
    }
    array_expect(&p->grad_bias, expected, tolerance);
    array_expect(&p->grad_weight, expected2, tolerance);
    for (int64_t i = 0; i < p->rows * p->channels; i++) {
        int64_t c = i % p->channels;
        double rest = gradient_at(p, i) - p->grad_bias.host[c] / (double)p->rows -
                      normal_at(p, i) * p->grad_weight.host[c] / (double)p->rows;
        expected[i] = p->weight.host[c] * p->rstd.host[c] * rest + (p->add ? p->grad_x.host[i] : 0);
    }
    array_expect(&p->grad_x, expected, tolerance_of(p->type));
    check_cuda(gpu_sum_rows(p->bias.device, p->grad_y.device, mask, p->type, p->rows, p->channels,
                            p->scratch, NULL));
    for (int64_t c = 0; c < p->channels; c++)
        expected[c] = p->grad_bias.host[c];
    array_expect(&p->bias, expected, 0); /* the same sums in the same order */
}

static void norm_once(Norm p) {
    int64_t count = p.rows * p.channels;
    Array *of_channels[] = {&p.weight,     &p.bias,      &p.mean,        &p.rstd,
                            &p.stats_mean, &p.stats_var, &p.grad_weight, &p.grad_bias};
    Array *of_rows[] = {&p.x, &p.y, &p.grad_y, &p.grad_x, &p.z};
    for (uint32_t i = 0; i < 8; i++)
        *of_channels[i] = array_random(p.channels, DT_F32, 20 + i);
    for (uint32_t i = 0; i < 5; i++)
        *of_rows[i] = array_random(count, p.type, 30 + i);
    p.scratch = device_unset(gpu_rows_scratch(p.rows, p.channels));
    check_train(&p);
    if (p.rows > 1)
        check_backward(&p);
    for (int64_t c = 0; c < p.channels; c++)
        p.stats_var.host[c] = fabsf(p.stats_var.host[c]) + 0.5f;
    check_cuda(cudaMemcpy(p.stats_var.device, p.stats_var.host, (size_t)p.channels * sizeof(float),
                          cudaMemcpyHostToDevice));
    array_fetch(&p.bias);
    check_cuda(gpu_bn_infer(p.y.device, p.x.device, p.add ? p.z.device : NULL, p.weight.device,
                            p.bias.device, p.stats_mean.device, p.stats_var.device, p.type, p.rows,
                            p.channels, eps, p.relu, NULL));
    expect_forward(&p, p.stats_mean.host, p.stats_var.host);
    for (int i = 0; i < 8; i++)
        array_free(of_channels[i]);
    for (int i = 0; i < 5; i++)
        array_free(of_rows[i]);
    check_cuda(cudaFree(p.scratch));
}

static void norm_is_right(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{40, 16}, {1200, 5}, {1, 8}, {515, 40}};
    for (int v = 0; v < 32; v++)
        norm_once((Norm){.rows = sizes[v / 8][0],
                         .channels = sizes[v / 8][1],
                         .type = types[v % 2],
                         .relu = v / 2 % 2,
                         .add = v / 4 % 2});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pools_are_right),
                                       cmocka_unit_test(norm_is_right)};
    if (skip_without_gpu())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
