/* Convolutions by Winograd of our own (src/cpu/winograd.h), in the precision that this processor
 * has them in, against float64, each pass by its error in the norm: on random data, in blocks and
 * in NHWC, and on what quickstart's convolutions see and get after a few steps of training. Random
 * gradients tell too little in bf16: behind batch norm and max pooling most elements of a real one
 * are close to one value, so that sums of neighbours are ties, which all round one way where the
 * algorithm's points are small integers. The same bits at any time, from any address and whatever
 * stands in scratch: test_cpu_bits. Run from the root of the source tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/winograd.h"
#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/optim.h"
#include "lockstep/program.h"
#include "norm_compare.h"

/* Norm of the error over the norm of the result. In bf16 outputs, inputs' and weights' tiled forms
 * are rounded, by up to 2^-9 of an element each; transforms enlarge that. Found: 6.2 to 7.5e-3 on
 * random data, 2.6 to 7.2e-3 on quickstart's. (Direct products leave 2.4e-3, and next to nothing in
 * gradients of weights.) */
static const NormBounds BF16 = {.forward = 9e-3, .input = 9e-3, .weights = 9e-3, .bias = 1e-5};

/* In fp32 all is rounded by up to 2^-24, which sums over many channels add up. Found: 0.7
 * to 2.3e-6, with 512 channels, on random data, 0.3 to 1.1e-6 on quickstart's. */
static const NormBounds F32 = {.forward = 3e-6, .input = 3e-6, .weights = 3e-6, .bias = 1e-5};

static Device *cpu, *ref;

static const CpuDevice *device(void) {
    return (const CpuDevice *)cpu;
}

static void is_tiled(const OpCase *row, const OpRun *op) {
    const char *name = winograd_of(device())->name;
    if (!op->plan->arithmetic || strcmp(op->plan->arithmetic, name) != 0)
        fail_msg("%s is not computed by %s", row->name, name);
}

static const NormBounds *bounds(void) {
    return device()->bf16_vectors ? &BF16 : &F32;
}

static Status in_nhwc(Device *base, const OpTensors *ops, int n_ops, Tensor *tensors,
                      int n_tensors) {
    (void)ops;
    (void)n_ops;
    (void)base;
    for (int i = 0; i < n_tensors; i++) {
        tensors[i].layout = LAYOUT_NHWC;
        tensors[i].dtype = device()->activation;
        tensors[i].bytes = (size_t)shape_count(tensors[i].shape) * dtype_size(device()->activation);
    }
    return ST_OK;
}

static void against_in_nhwc(const OpCase *row, const OpData *data, const OpResult *expected) {
    const DeviceOps *usual = cpu->ops;
    DeviceOps ops = *usual;
    ops.layouts = in_nhwc;
    cpu->ops = &ops;
    norm_against(cpu, row, data, expected, bounds(), is_tiled);
    cpu->ops = usual;
}

static void random_data(void **state) {
    (void)state;
    static const OpCase rows[] = {
        {.name = "64 to 128 on 16x16", .text = "conv c=128 k=3 p=1", .in = {4, 64, 16, 16}},
        {.name = "128 to 128 on 8x8", .text = "conv c=128 k=3 p=1", .in = {16, 128, 8, 8}},
        {.name = "256 to 64 on 4x4", .text = "conv c=64 k=3 p=1", .in = {64, 256, 4, 4}},
        {.name = "512 to 128 on 4x4", .text = "conv c=128 k=3 p=1", .in = {24, 512, 4, 4}},
        {.name = "24 to 64 on 31x31", .text = "conv c=64 k=3 p=1", .in = {8, 24, 31, 31}},
        {.name = "96 to 128 on 7x7", .text = "conv c=128 k=3 p=1 bias", .in = {24, 96, 7, 7}},
        {.name = "56 to 72 on 13x9", .text = "conv c=72 k=3 p=1 bias", .in = {15, 56, 13, 9}},
        {.name = "57 to 75 on 13x9", .text = "conv c=75 k=3 p=1 bias", .in = {15, 57, 13, 9}},
        {.name = "64 to 40 on 15x14, no pad", .text = "conv c=40 k=3", .in = {8, 64, 15, 14}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpData data;
        OpResult expected;
        if (device()->f32_vectors && rows[i].in.c % 8 != 0)
            continue;
        assert_int_equal(op_data_make(&rows[i], &data), ST_OK);
        op_data_round(&data, 8);
        norm_run(ref, &rows[i], &data, NULL, &expected);
        norm_against(cpu, &rows[i], &data, &expected, bounds(), is_tiled);
        against_in_nhwc(&rows[i], &data, &expected);
        op_result_free(&expected);
        op_data_free(&data);
    }
}

/* ---- A real net ---- */

enum { BATCH = 32, STEPS = 24, CONVS = 4 };

/* What a convolution's backward is given: its input and the gradient of its output. */
typedef struct Seen {
    OpBound *bound;
    const OpPlan *plan;
    OpMemory memory;
    double *in, *grad_out;
} Seen;

static Seen seen[CONVS];
static int n_seen;
static bool keeps; /* whether backward is looked at */
static Op spy;

static Status spy_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    TRY(cpu_conv.plan(device, desc, plan));
    (*plan)->op = &spy;
    return ST_OK;
}

static Status spy_bind(const OpPlan *plan, const OpMemory *memory, OpBound **bound) {
    TRY(cpu_conv.bind(plan, memory, bound));
    if (n_seen == CONVS)
        return FAIL(ST_INTERNAL, "CONVS is too small");
    seen[n_seen++] = (Seen){.bound = *bound, .plan = plan, .memory = *memory};
    return ST_OK;
}

static Status read_back(Stream *stream, const Tensor *tensor, double **host) {
    *host = calloc((size_t)shape_count(tensor->shape), sizeof **host);
    TRY_ALLOC(*host);
    return cpu->ops->read_tensor(stream, *host, tensor);
}

static Status spy_backward(Stream *stream, OpBound *bound, const LaneRun *lane) {
    for (int i = 0; keeps && i < n_seen; i++) {
        if (seen[i].bound == bound) {
            TRY(read_back(stream, &seen[i].memory.in[0], &seen[i].in));
            TRY(read_back(stream, &seen[i].memory.grad_out, &seen[i].grad_out));
        }
    }
    return cpu_conv.backward(stream, bound, lane);
}

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

/* Batch `step` of the training set: CIFAR10_DIR's, or the synthetic one's. */
static void load(Executor *executor, const Dataset *set, int64_t step) {
    int64_t pixels = shape_count(set->image), id[BATCH];
    uint16_t label[BATCH];
    int32_t labels[BATCH];
    uint8_t *bytes = malloc((size_t)(BATCH * pixels));
    float *images = calloc((size_t)(BATCH * pixels), sizeof *images);
    assert_true(bytes && images);
    for (int i = 0; i < BATCH; i++)
        id[i] = step * BATCH + i;
    check(dataset_read(set, DATASET_PART_TRAIN, id, BATCH, label, bytes, NULL));
    for (int i = 0; i < BATCH; i++)
        labels[i] = label[i];
    for (int64_t i = 0; i < BATCH * pixels; i++)
        images[i] = ((float)bytes[i] - 127.5f) / 64;
    check(executor_load(executor, images, labels));
    free(images);
    free(bytes);
}

/* Trains `model` for STEPS steps with SGD, in fp32, and looks at the last. */
static void train(Device *device, const Model *model, const Dataset *set, float *weights) {
    size_t bytes = (size_t)model->flat * sizeof(float);
    LaneRun lane = {.loss_scale = 1.0 / BATCH};
    Weights at = {0};
    void *gradient;
    Stream *stream;
    Program *program;
    Executor *executor;
    check(device->ops->alloc(device, bytes, &at.weight));
    check(device->ops->alloc(device, (size_t)model->running_flat * sizeof(float), &at.running));
    check(device->ops->alloc(device, bytes, &gradient));
    model_init(model, 1, at.weight, at.running); /* memory of this device is the host's */
    check(device->ops->stream_open(device, &stream));
    check(program_build(device, model, BATCH, true, &program));
    check(executor_open(program, stream, &at, gradient, &executor));
    for (int64_t step = 0; step < STEPS; step++) {
        keeps = step == STEPS - 1;
        lane.step = step;
        load(executor, set, step);
        for (int op = 0; op < program_ops(program); op++)
            check(program_pack(program, stream, &at, op));
        memcpy(weights, at.weight, bytes);
        check(executor_forward(executor, &lane));
        check(executor_backward(executor, &lane, NULL, NULL));
        for (int64_t i = 0; i < model->flat; i++)
            ((float *)at.weight)[i] -= 0.1f * ((const float *)gradient)[i];
    }
    executor_close(executor);
    device->ops->stream_close(stream);
    device->ops->release(device, gradient);
    device->ops->release(device, at.running);
    device->ops->release(device, at.weight);
    for (int i = 0; i < n_seen; i++) /* before its layers are gone */
        print_message("# %s: gradients of a trained quickstart\n", seen[i].plan->desc.layer->name);
    program_free(program);
}

static void compare_seen(const Seen *conv, const Layer *layer, const float *weights) {
    const Tensor *in = &conv->memory.in[0];
    char text[64];
    OpData data;
    snprintf(text, sizeof text, "conv c=%d k=3 p=1", (int)layer->out.c);
    OpCase row = {.name = layer->name, .text = text, .in = in->shape};
    check(op_data_make(&row, &data));
    memcpy(data.in[0], conv->in, (size_t)data.in_count[0] * sizeof *data.in[0]);
    memcpy(data.grad_out, conv->grad_out, (size_t)data.out_count * sizeof *data.grad_out);
    for (int64_t i = 0; i < data.param_count[WEIGHT]; i++)
        data.param[WEIGHT][i] = weights[i];
    norm_compare(cpu, ref, &row, &data, bounds(), is_tiled);
    op_data_free(&data);
}

static void gradients_of_a_real_net(void **state) {
    (void)state;
    const char *folder = getenv("CIFAR10_DIR");
    char *argv[] = {"configs/quickstart.yaml", NULL};
    RunConfig *config = calloc(1, sizeof *config);
    DeviceOps ops;
    Device *device;
    Dataset set;
    Model model;
    assert_non_null(config);
    check(config_load(1, argv, config));
    check(dataset_open(folder ? folder : "synthetic", 1, &set));
    print_message("# images: %s\n", dataset_name(&set));
    check(model_parse(config->model, argv[0], 1, set.image, set.classes, 0, &model));
    check(device_open_cpu(&(DeviceOptions){0}, &device));
    float *weights = calloc((size_t)model.flat, sizeof *weights);
    assert_non_null(weights);
    spy = cpu_conv;
    spy.plan = spy_plan;
    spy.bind = spy_bind;
    spy.backward = spy_backward;
    ops = *device->ops;
    ops.ops[LAYER_CONV] = &spy;
    device->ops = &ops;
    train(device, &model, &set, weights);
    int conv = 0;
    for (int p = 0; p < model.n_params; p++) {
        const Layer *layer = &model.layers[model.params[p].layer];
        if (layer->kind != LAYER_CONV)
            continue;
        if (conv > 0) /* the first one's input is the image, of three channels */
            compare_seen(&seen[conv], layer, weights + model.params[p].offset);
        free(seen[conv].in);
        free(seen[conv].grad_out);
        conv++;
    }
    assert_int_equal(conv, CONVS);
    free(weights);
    device->ops->close(device);
    model_free(&model);
    free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_data),
        cmocka_unit_test(gradients_of_a_real_net),
    };
    return norm_tests("Winograd", PRECISION_FP32, tests, sizeof tests / sizeof *tests, &cpu, &ref) +
           norm_tests("Winograd", PRECISION_BF16, tests, sizeof tests / sizeof *tests, &cpu, &ref);
}
