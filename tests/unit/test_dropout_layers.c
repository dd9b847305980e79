/* dropout layers: any number of them trains, on every backend that runs on the host.
 *
 * The model is `linear c=10`, ten dropout layers of rate 1/2, and the loss; with zero weights the
 * logits are the bias, times 2 for each layer that keeps them, 0 where one drops them. So what the
 * loss must be follows from the masks by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/program.h"

enum { LAYERS = 10, CLASSES = 10, IMAGES = 2, PIXELS = 3 * 8 * 8 };

typedef struct Net {
    Model model;
    Device *device;
    Stream *stream;
    Program *program;
    Executor *executor;
    Weights weights;
    void *gradient;
    float loss[IMAGES];
    int32_t predicted[IMAGES];
} Net;

static const int32_t labels[IMAGES] = {1, 2};

static double bias(int c) {
    return (c - 4) / 4096.0;
}

static void open_net(Net *net, Status (*open)(const DeviceOptions *, Device **)) {
    char text[256] = "linear c=10\n";
    float weight[CLASSES * PIXELS + CLASSES + 64] = {0}, image[IMAGES * PIXELS];
    for (int i = 0; i < LAYERS; i++)
        strcat(text, "dropout p=0.5\n");
    *net = (Net){0};
    assert_int_equal(model_parse(text, "test", 1, (Shape){1, 3, 8, 8}, CLASSES, 0, &net->model),
                     ST_OK);
    size_t flat = (size_t)net->model.flat * sizeof *weight;
    assert_true(flat <= sizeof weight);
    for (int c = 0; c < CLASSES; c++)
        weight[net->model.params[1].offset + c] = (float)bias(c);
    for (int i = 0; i < IMAGES * PIXELS; i++)
        image[i] = 1;
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
    assert_int_equal(executor_load(net->executor, image, labels), ST_OK);
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

static void step(Net *net, const LaneRun *run, float *gradient) {
    assert_int_equal(executor_forward(net->executor, run), ST_OK);
    assert_int_equal(executor_backward(net->executor, run, NULL, NULL), ST_OK);
    assert_int_equal(executor_results(net->executor, net->loss, net->predicted), ST_OK);
    assert_int_equal(net->device->ops->download(net->stream, gradient, net->gradient,
                                                (size_t)net->model.flat * sizeof *gradient),
                     ST_OK);
    assert_int_equal(net->device->ops->sync(net->stream, 10), ST_OK);
}

static Status (*const backends[])(const DeviceOptions *, Device **) = {device_open_ref,
                                                                       device_open_cpu};
enum { BACKENDS = sizeof backends / sizeof *backends };

/* What follows the run in memory is none of its masks. Ten layers keep a logit once in 1024 times,
 * so most logits are 0 and the loss is near ln 10. */
static void test_masks_are_drawn(void **state) {
    (void)state;
    for (int b = 0; b < BACKENDS; b++) {
        Net net;
        float gradient[CLASSES * PIXELS + CLASSES + 64];
        struct {
            LaneRun run;
            unsigned char behind[128];
        } guarded = {.run = {.seed = 3, .step = 7, .lane = 2, .loss_scale = 0.5}};
        memset(guarded.behind, 0xff, sizeof guarded.behind);
        open_net(&net, backends[b]);
        step(&net, &guarded.run, gradient);
        for (int n = 0; n < IMAGES; n++)
            assert_true(fabs(net.loss[n] - log(CLASSES)) < 3);
        close_net(&net);
    }
}

/* In image 0 layer c drops class c, so all logits are 0; in image 1 all are kept but class 3, which
 * only the last layer drops. */
static void test_given_masks_are_used(void **state) {
    (void)state;
    uint8_t mask[LAYERS][IMAGES * CLASSES];
    const uint8_t *masks[LAYERS];
    memset(mask, 1, sizeof mask);
    for (int i = 0; i < LAYERS; i++) {
        mask[i][i] = 0;
        masks[i] = mask[i];
    }
    mask[LAYERS - 1][CLASSES + 3] = 0;
    LaneRun run = {.loss_scale = 1, .n_dropout_masks = LAYERS, .dropout_mask = masks};
    double logit[CLASSES], sum = 0;
    for (int c = 0; c < CLASSES; c++) {
        logit[c] = c == 3 ? 0 : bias(c) * 1024;
        sum += exp(logit[c]);
    }
    for (int b = 0; b < BACKENDS; b++) {
        Net net;
        float gradient[CLASSES * PIXELS + CLASSES + 64];
        open_net(&net, backends[b]);
        step(&net, &run, gradient);
        assert_float_equal(net.loss[0], log(CLASSES), 1e-6);
        assert_float_equal(net.loss[1], log(sum) - logit[labels[1]], 1e-6);
        assert_int_equal(net.predicted[1], CLASSES - 1);
        const float *grad_bias = gradient + net.model.params[1].offset;
        for (int c = 0; c < CLASSES; c++) { /* image 0 gives none */
            double want = 1024 * (exp(logit[c]) / sum - (c == labels[1]));
            assert_float_equal(grad_bias[c], c == 3 ? 0 : want, 1e-3);
        }
        close_net(&net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_are_drawn),
        cmocka_unit_test(test_given_masks_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
