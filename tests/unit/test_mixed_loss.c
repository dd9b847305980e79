/* The loss of mixed images and of classes with weights, on every backend that runs on the host,
 * from a model to the flat gradient: (1 - f) CE(x, a) + f CE(x, b), with CE of PyTorch's
 * cross_entropy and its label_smoothing and weight, written out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/program.h"

enum { CLASSES = 7, IMAGES = 4, PIXELS = 3 * 4 * 4 };

static const double SMOOTHING = 0.1, SCALE = 0.25;
static const int32_t labels[IMAGES] = {1, 2, 6, 0};
/* a half, none, all, twice the same label */
static const SecondLabel second[IMAGES] = {
    {3, MIX_ONE / 2}, {5, 0}, {4, MIX_ONE}, {0, MIX_ONE / 4}};

/* The largest is 1. */
static const double weights[CLASSES] = {0.5, 1, 0.25, 1, 0.125, 1, 0.75};

typedef struct Net {
    Model model;
    Device *device;
    Stream *stream;
    Program *program;
    Executor *executor;
    Weights weights;
    void *gradient;
    float loss[IMAGES], bias_gradient[CLASSES];
} Net;

/* The logits of all images: with zero weights they are the bias. */
static double logit(int c) {
    return (c * c % 5 - 2) / 2.0;
}

static double log_softmax(int c) {
    double sum = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += exp(logit(i));
    return logit(c) - log(sum);
}

static double weight_of(const Net *net, int c) {
    return net->model.class_weights ? weights[c] : 1;
}

/* PyTorch: target is (1 - smoothing) of the label and smoothing / classes of every class, each
 * times the weight of that class. */
static double cross_entropy(const Net *net, int label) {
    double sum = 0;
    for (int c = 0; c < CLASSES; c++)
        sum -= weight_of(net, c) * log_softmax(c) / CLASSES;
    return (1 - SMOOTHING) * weight_of(net, label) * -log_softmax(label) + SMOOTHING * sum;
}

static double wanted_loss(const Net *net, int n, bool mixed) {
    double f = mixed ? second[n].share / 65536.0 : 0;
    return (1 - f) * cross_entropy(net, labels[n]) + f * cross_entropy(net, second[n].label);
}

/* d(-sum_k q_k log p_k) / dx_c = p_c sum(q) - q_c. */
static double wanted_gradient(const Net *net, int c, bool mixed) {
    double sum = 0;
    for (int n = 0; n < IMAGES; n++) {
        double f = mixed ? second[n].share / 65536.0 : 0, all = 0, own = 0;
        for (int k = 0; k < CLASSES; k++) {
            double target = (1 - f) * (k == labels[n]) + f * (k == second[n].label);
            double q = weight_of(net, k) * ((1 - SMOOTHING) * target + SMOOTHING / CLASSES);
            all += q;
            own += k == c ? q : 0;
        }
        sum += exp(log_softmax(c)) * all - own;
    }
    return sum * SCALE;
}

static void open_net(Net *net, Status (*open)(const DeviceOptions *, Device **), const char *text) {
    float weight[CLASSES * (PIXELS + 1) + 64] = {0};
    *net = (Net){0};
    assert_int_equal(
        model_parse("linear c=7", "test", 1, (Shape){1, 3, 4, 4}, CLASSES, SMOOTHING, &net->model),
        ST_OK);
    assert_int_equal(model_weigh_classes(&net->model, text), ST_OK);
    size_t flat = (size_t)net->model.flat * sizeof *weight;
    assert_true(flat <= sizeof weight);
    for (int c = 0; c < CLASSES; c++)
        weight[net->model.params[1].offset + c] = (float)logit(c);
    assert_int_equal(open(&(DeviceOptions){0}, &net->device), ST_OK);
    const DeviceOps *ops = net->device->ops;
    assert_int_equal(program_build(net->device, &net->model, IMAGES, true, &net->program), ST_OK);
    assert_int_equal(ops->stream_open(net->device, &net->stream), ST_OK);
    assert_int_equal(ops->alloc(net->device, flat, &net->weights.weight), ST_OK);
    assert_int_equal(ops->alloc(net->device, flat, &net->gradient), ST_OK);
    assert_int_equal(ops->upload(net->stream, net->weights.weight, weight, flat), ST_OK);
    assert_int_equal(
        executor_open(net->program, net->stream, &net->weights, net->gradient, &net->executor),
        ST_OK);
    for (int o = 0; o < program_ops(net->program); o++)
        assert_int_equal(program_pack(net->program, net->stream, &net->weights, o), ST_OK);
}

static void close_net(Net *net) {
    executor_close(net->executor);
    program_free(net->program);
    net->device->ops->release(net->device, net->gradient);
    net->device->ops->release(net->device, net->weights.weight);
    net->device->ops->stream_close(net->stream);
    net->device->ops->close(net->device);
    model_free(&net->model);
}

static void check_step(Net *net, bool mixed) {
    const LaneRun run = {.loss_scale = SCALE};
    const DeviceOps *ops = net->device->ops;
    int32_t predicted[IMAGES];
    assert_int_equal(executor_forward(net->executor, &run), ST_OK);
    assert_int_equal(executor_backward(net->executor, &run, NULL, NULL), ST_OK);
    assert_int_equal(executor_results(net->executor, net->loss, predicted), ST_OK);
    const float *bias = (const float *)net->gradient + net->model.params[1].offset;
    assert_int_equal(
        ops->download(net->stream, net->bias_gradient, bias, sizeof net->bias_gradient), ST_OK);
    assert_int_equal(ops->sync(net->stream, 10), ST_OK);
    for (int n = 0; n < IMAGES; n++)
        assert_float_equal(net->loss[n], wanted_loss(net, n, mixed), 1e-6);
    for (int c = 0; c < CLASSES; c++)
        assert_float_equal(net->bias_gradient[c], wanted_gradient(net, c, mixed), 1e-6);
}

/* Without second labels first, and with them from then on. */
static void test_loss(void **state) {
    (void)state;
    static Status (*const backends[])(const DeviceOptions *, Device **) = {device_open_ref,
                                                                           device_open_cpu};
    const float image[IMAGES * PIXELS] = {0};
    for (int b = 0; b < 4; b++) {
        Net net;
        open_net(&net, backends[b % 2], b < 2 ? "" : "2,4,1,4,0.5,4,3");
        assert_int_equal(executor_load(net.executor, image, labels), ST_OK);
        check_step(&net, false);
        assert_int_equal(executor_load(net.executor, image, labels), ST_OK);
        assert_int_equal(executor_load_second(net.executor, second), ST_OK);
        check_step(&net, true);
        close_net(&net);
    }
}

static void assert_refused(const char *text, const char *message) {
    Model model;
    assert_int_equal(model_parse("linear c=4", "test", 1, (Shape){1, 3, 4, 4}, 3, 0, &model),
                     ST_OK);
    assert_int_equal(model_weigh_classes(&model, text), ST_USAGE);
    assert_string_equal(status_message(), message);
    status_clear();
    model_free(&model);
}

/* Outputs beyond the classes weigh as much as the heaviest class. */
static void test_text(void **state) {
    (void)state;
    Model model;
    assert_int_equal(model_parse("linear c=4", "test", 1, (Shape){1, 3, 4, 4}, 3, 0, &model),
                     ST_OK);
    assert_int_equal(model_weigh_classes(&model, ""), ST_OK);
    assert_null(model.class_weights);
    assert_int_equal(model_weigh_classes(&model, "0.5,2,1e-3"), ST_OK);
    const float wanted[4] = {0.25f, 1, 0.0005f, 1};
    assert_memory_equal(model.class_weights, wanted, sizeof wanted);
    model_free(&model);
    assert_refused("1,2", "class-weights has 2 numbers, but the data has 3 classes: give one for "
                          "each, in the order of their labels");
    assert_refused("1,2,3,4",
                   "class-weights has 4 numbers, but the data has 3 classes: give one for "
                   "each, in the order of their labels");
    assert_refused("1,x,3", "class-weights: 'x' is not a number above 0");
    assert_refused("1,0,3", "class-weights: '0' is not a number above 0");
    assert_refused("1,2,3e4", "class-weights: 30000 is more than 10000 times 1: give weights that "
                              "are nearer to each other");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loss), cmocka_unit_test(test_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
