/* Whole networks against PyTorch in float64 (make_golden.py): loss of each image, batch statistics,
 * every gradient, loss and class in evaluation, and how far the weights moved in five steps. On ref
 * in double, ref in float, and cpu (the largest on cpu alone); run from the root of the source
 * tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "lockstep/optim.h"
#include "lockstep/program.h"
#include "tolerance.h"

enum {
    STEPS = 5,
    IMAGES = 1000,
    LABELS = 1001,
    BATCH_MAX = 16,
    FIRST_MASK = 1100, /* as in make_golden.py */
    MASKS = 16
};

/* Adam moves an element with next to no gradient by rounding alone: such are left out of the
 * comparison of weights. As a share of the tensor's root mean square, and absolutely. */
static const double GRADIENT_SHARE = 1e-2, GRADIENT_LEAST = 1e-6;

/* The last LARGE are whole recipes, of which the last RECIPES are those of networks.py. */
static const char *const cases[] = {
    "residual-sgd",  "residual-sgd-plain", "residual-adam", "mixed-adamw", "mixed-sgd",
    "branches-adam", "activated-sgd",      "blocks-sgd",    "gated-sgd",   "gated-adam",
    "tokens-adamw",  "tokens-sgd",         "quickstart",    "msu-net",     "vit",
    "cct2",          "resnet44",           "airbench94",    "resnet20",    "resnet20-b",
    "mobilenetv2",   "densenet-bc-100-12",
};
enum { CASES = sizeof cases / sizeof cases[0], LARGE = 10, RECIPES = 8 };

/* One golden case on one device. */
typedef struct Net {
    const char *name;
    double tolerance;
    bool in_norm; /* errors: else each element's */
    Device *device;
    Stream *stream;
    Golden golden;
    Model model;
    Program *training, *evaluation;
    Executor *trainer, *evaluator;
    Weights weights; /* device memory */
    void *gradient;  /* likewise */
    void *state[UPDATE_SLOTS];
    int64_t batch;
    Optimizer optimizer;
    double lr;
    const uint8_t *mask[MASKS];
    uint8_t *drawn[MASKS]; /* those of mask[] that are not the file's; owned */
    LaneRun run;
    double *host[3];   /* [flat]: weights at the start, now, gradient of the first step */
    double *statistic; /* [running_flat] */
} Net;

static void check(const Net *net, Status status) {
    if (status != ST_OK)
        fail_msg("%s on %s: %s", net->name, net->device->description, status_message());
}

static const GoldenRecord *find(const Net *net, const char *prefix, const char *name) {
    char full[2 * GOLDEN_NAME_MAX];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const GoldenRecord *record = golden_find(&net->golden, full);
    if (!record)
        fail_msg("%s.golden has no %s", net->name, full);
    return record;
}

static void compare(const Net *net, const char *prefix, const char *name, const double *found,
                    const double *expected, int64_t count) {
    double error = net->in_norm ? tolerance_error_in_norm(found, expected, count)
                                : tolerance_error(found, expected, count);
    if (getenv("TEST_ERRORS"))
        print_message("%-20s %-20s %s%s: %.2g of %.2g\n", net->name, net->device->description,
                      prefix, name, error, net->tolerance);
    if (!(error <= net->tolerance))
        fail_msg("%s on %s: %s%s is off by %g, more than %g", net->name, net->device->description,
                 prefix, name, error, net->tolerance);
}

/* A plain vector in device memory. */
static Tensor vector(const Net *net, void *data, int64_t count) {
    return (Tensor){.shape = {1, count, 1, 1},
                    .dtype = net->device->real,
                    .layout = LAYOUT_PLAIN,
                    .bytes = (size_t)count * dtype_size(net->device->real),
                    .data = data};
}

static void read_vector(const Net *net, void *data, int64_t count, double *host) {
    Tensor tensor = vector(net, data, count);
    check(net, net->device->ops->read_tensor(net->stream, host, &tensor));
}

static void write_vector(const Net *net, void *data, int64_t count, const double *host) {
    Tensor tensor = vector(net, data, count);
    check(net, net->device->ops->write_tensor(net->stream, &tensor, host));
}

static double *numbers(int64_t count) {
    double *value = calloc((size_t)count + 1, sizeof *value);
    assert_non_null(value);
    return value;
}

static void *device_numbers(const Net *net, int64_t count) {
    void *memory;
    check(net, net->device->ops->alloc(net->device, ((size_t)count + 1) * sizeof(double), &memory));
    return memory;
}

/* The initial weights, as make_golden.py draws them. */
static void draw_weights(Net *net) {
    for (int p = 0; p < net->model.n_params; p++) {
        const ParamView *view = &net->model.params[p];
        const Layer *layer = &net->model.layers[view->layer];
        const int64_t *dim = layer->param[0].dim;
        double bound = 1.5 / sqrt((double)(dim[1] * dim[2] * dim[3]));
        bool scales = view->spec.init == INIT_ONE, shifts = view->spec.init == INIT_ZERO;
        double low = scales ? 0.5 : shifts ? -0.5 : -bound;
        double high = scales ? 1.5 : shifts ? 0.5 : bound;
        for (int64_t i = 0; i < view->count; i++)
            net->host[0][view->offset + i] =
                (float)(low + (high - low) * golden_unit((uint32_t)p, i));
    }
    write_vector(net, net->weights.weight, net->model.flat, net->host[0]);
}

static void load_batch(Net *net, Executor *executor) {
    int64_t count = net->batch * shape_count(net->model.image);
    float *images = calloc((size_t)count, sizeof *images);
    int32_t labels[BATCH_MAX];
    assert_non_null(images);
    for (int64_t i = 0; i < count; i++)
        images[i] = (float)(4 * golden_unit(IMAGES, i) - 2);
    for (int64_t n = 0; n < net->batch; n++)
        labels[n] = (int32_t)(golden_unit(LABELS, n) * (double)net->model.classes);
    check(net, executor_load(executor, images, labels));
    check(net, net->device->ops->sync(net->stream, 60));
    free(images);
}

/* Keep-masks are the file's, or drawn where the file has their rates alone. */
static void find_masks(Net *net) {
    const GoldenRecord *rates = golden_find(&net->golden, "masks");
    int drawn = 0;
    for (int m = 0; m < MASKS; m++) {
        char name[16];
        snprintf(name, sizeof name, "mask.%d", m);
        const GoldenRecord *mask = golden_find(&net->golden, name);
        net->mask[m] = mask ? (const uint8_t *)mask->bytes : NULL;
    }
    for (int l = 0; rates && l < net->model.n_layers; l++) {
        const Layer *layer = &net->model.layers[l];
        if (layer->kind != LAYER_DROPOUT)
            continue;
        assert_true(drawn < MASKS && drawn < rates->count);
        int64_t count = net->batch * shape_count(layer->out);
        uint8_t *mask = malloc((size_t)count);
        assert_non_null(mask);
        for (int64_t i = 0; i < count; i++)
            mask[i] = golden_unit((uint32_t)(FIRST_MASK + drawn), i) >= rates->value[drawn];
        net->mask[drawn] = net->drawn[drawn] = mask;
        drawn++;
    }
    net->run.n_dropout_masks = MASKS;
    net->run.dropout_mask = net->mask;
}

static void read_case(Net *net) {
    char path[256];
    snprintf(path, sizeof path, "tests/golden/%s.golden", net->name);
    check(net, golden_read(path, &net->golden));
    const double *shape = find(net, "", "shape")->value;
    const double *o = find(net, "", "optimizer")->value;
    Shape image = {1, (int64_t)shape[0], (int64_t)shape[1], (int64_t)shape[2]};
    check(net, model_parse(find(net, "", "model")->bytes, path, 1, image, (int64_t)shape[3],
                           shape[5], &net->model));
    net->batch = (int64_t)shape[4];
    assert_true(net->batch <= BATCH_MAX);
    net->lr = o[1];
    net->optimizer = (Optimizer){
        .kind = (OptimizerKind)o[0],
        .momentum = o[2],
        .nesterov = o[3] != 0,
        .weight_decay = o[4],
        .decay_all = o[5] != 0,
        .beta1 = o[6],
        .beta2 = o[7],
        .eps = o[8],
    };
    net->run.loss_scale = 1 / (double)net->batch;
    find_masks(net);
}

static void net_open(Net *net) {
    read_case(net);
    for (int h = 0; h < 3; h++)
        net->host[h] = numbers(net->model.flat);
    net->statistic = numbers(net->model.running_flat);
    check(net, net->device->ops->stream_open(net->device, &net->stream));
    net->weights.weight = device_numbers(net, net->model.flat);
    net->weights.running = device_numbers(net, net->model.running_flat);
    net->gradient = device_numbers(net, net->model.flat);
    for (int s = 0; s < UPDATE_SLOTS; s++)
        net->state[s] = device_numbers(net, net->model.flat);
    check(net, program_build(net->device, &net->model, net->batch, true, &net->training));
    check(net, program_build(net->device, &net->model, net->batch, false, &net->evaluation));
    check(net,
          executor_open(net->training, net->stream, &net->weights, net->gradient, &net->trainer));
    check(net, executor_open(net->evaluation, net->stream, &net->weights, NULL, &net->evaluator));
    draw_weights(net);
}

static void net_close(Net *net) {
    const DeviceOps *ops = net->device->ops;
    void *memory[] = {net->weights.weight, net->weights.running, net->gradient,
                      net->state[0],       net->state[1],        net->state[2]};
    executor_close(net->evaluator);
    executor_close(net->trainer);
    program_free(net->evaluation);
    program_free(net->training);
    for (size_t m = 0; m < sizeof memory / sizeof memory[0]; m++)
        ops->release(net->device, memory[m]);
    ops->stream_close(net->stream);
    for (int h = 0; h < 3; h++)
        free(net->host[h]);
    for (int m = 0; m < MASKS; m++)
        free(net->drawn[m]);
    free(net->statistic);
    model_free(&net->model);
    golden_free(&net->golden);
}

/* Forward of one program; loss[batch] and predicted[batch] come to the host. */
static void forward(Net *net, Program *program, Executor *executor, double *loss,
                    int32_t *predicted) {
    union {
        float f32[BATCH_MAX];
        double f64[BATCH_MAX];
    } value;
    load_batch(net, executor); /* the last backward may have used its memory */
    for (int op = 0; op < program_ops(program); op++)
        check(net, program_pack(program, net->stream, &net->weights, op));
    check(net, executor_forward(executor, &net->run));
    check(net, executor_results(executor, &value, predicted));
    check(net, net->device->ops->sync(net->stream, 60));
    for (int64_t n = 0; n < net->batch; n++)
        loss[n] = net->device->real == DT_F64 ? value.f64[n] : (double)value.f32[n];
}

/* Batch statistics of the first step, then evaluation with them as running statistics. */
static void compare_evaluation(Net *net) {
    double loss[BATCH_MAX];
    int32_t predicted[BATCH_MAX];
    if (net->model.n_running > 0) {
        read_vector(net, (void *)executor_stats(net->trainer), net->model.running_flat,
                    net->statistic);
        write_vector(net, net->weights.running, net->model.running_flat, net->statistic);
    }
    for (int r = 0; r < net->model.n_running; r++) {
        const ParamView *view = &net->model.running[r];
        compare(net, "stats.", view->name, net->statistic + view->offset,
                find(net, "stats.", view->name)->value, view->count);
    }
    forward(net, net->evaluation, net->evaluator, loss, predicted);
    compare(net, "", "eval_loss", loss, find(net, "", "eval_loss")->value, net->batch);
    for (int64_t n = 0; n < net->batch; n++)
        assert_int_equal(predicted[n], (int)find(net, "", "eval_predicted")->value[n]);
}

/* Compares value[flat] (less `origin`, where given) with the records prefix + name: all elements,
 * or evenly spaced ones and the norm. Elements of no gradient can be left out. */
static void compare_params(Net *net, const char *prefix, const double *value, const double *origin,
                           bool skip_flat_ones) {
    for (int p = 0; p < net->model.n_params; p++) {
        const ParamView *view = &net->model.params[p];
        const GoldenRecord *record = find(net, prefix, view->name);
        const double *gradient = net->host[2] + view->offset;
        double *found = numbers(record->count), *expected = numbers(record->count);
        double squares = 0, norm = 0;
        int64_t taken = 0;
        for (int64_t i = 0; i < view->count; i++) {
            squares += gradient[i] * gradient[i];
            norm += value[view->offset + i] * value[view->offset + i];
        }
        double least = GRADIENT_SHARE * sqrt(squares / (double)view->count);
        least = least > GRADIENT_LEAST ? least : GRADIENT_LEAST;
        for (int64_t r = 0; r < record->count; r++) {
            int64_t i = r * view->count / record->count;
            double from = origin ? origin[view->offset + i] : 0;
            if (skip_flat_ones && fabs(gradient[i]) < least)
                continue;
            found[taken] = value[view->offset + i] - from;
            expected[taken++] = record->value[r] - from;
        }
        compare(net, prefix, view->name, found, expected, taken);
        if (record->count < view->count) {
            char name[2 * GOLDEN_NAME_MAX];
            snprintf(name, sizeof name, "%s.norm", view->name);
            norm = sqrt(norm);
            compare(net, prefix, name, &norm, find(net, prefix, name)->value, 1);
        }
        free(found);
        free(expected);
    }
}

static void update(Net *net, int64_t step) {
    const Optimizer *o = &net->optimizer;
    Rates rates = {net->lr, o->kind == OPTIMIZER_SGD ? o->momentum : o->beta1};
    Update constants = optimizer_update(o, step, rates, 1);
    size_t real = dtype_size(net->device->real);
    for (int p = 0; p < net->model.n_params; p++) {
        const ParamView *view = &net->model.params[p];
        size_t at = (size_t)view->offset * real;
        bool decays = net->optimizer.decay_all || view->spec.decay;
        UpdateRange range = {
            .count = view->count,
            .weight = (char *)net->weights.weight + at,
            .real = (char *)net->gradient + at,
            .decay = decays ? net->optimizer.weight_decay : 0,
        };
        for (int s = 0; s < UPDATE_SLOTS; s++)
            if (optimizer_slot_name(&net->optimizer, s))
                range.slot[s] = (char *)net->state[s] + at;
        check(net, net->device->ops->update(net->stream, &constants, &range));
    }
}

/* A device and what it is held to. Large networks are left out on plain loops in float, which would
 * take minutes and tell no more than those in double. */
typedef struct Side {
    const char *name;
    Status (*open)(const DeviceOptions *options, Device **device);
    double tolerance, tolerance_of_recipes;
    bool small_alone;
} Side;

typedef struct Job {
    const Side *side;
    const char *name;
    double tolerance;
    bool in_norm; /* as Net's */
    int64_t steps;
    char title[64];
} Job;

/* With `steps` 1 nothing behind the first step is compared. */
static void run_case(Device *device, const Job *job) {
    Net net = {
        .name = job->name, .tolerance = job->tolerance, .in_norm = job->in_norm, .device = device};
    double loss[BATCH_MAX];
    int32_t predicted[BATCH_MAX];
    net_open(&net);
    for (int64_t step = 0; step < job->steps; step++) {
        net.run.step = step;
        forward(&net, net.training, net.trainer, loss, predicted);
        check(&net, executor_backward(net.trainer, &net.run, NULL, NULL));
        if (step == 0) {
            compare(&net, "", "loss", loss, find(&net, "", "loss")->value, net.batch);
            read_vector(&net, net.gradient, net.model.flat, net.host[2]);
            compare_params(&net, "grad.", net.host[2], NULL, false);
            compare_evaluation(&net);
        }
        update(&net, step);
    }
    if (job->steps == STEPS) {
        compare(&net, "", "last_loss", loss, find(&net, "", "last_loss")->value, net.batch);
        read_vector(&net, net.weights.weight, net.model.flat, net.host[1]);
        compare_params(&net, "after.", net.host[1], net.host[0],
                       net.optimizer.kind != OPTIMIZER_SGD);
    }
    net_close(&net);
}

static const Side sides[] = {
    {"ref64", device_open_ref64, TOL_GOLDEN_DOUBLE, TOL_GOLDEN_DOUBLE, false},
    {"ref", device_open_ref, TOL_GOLDEN_FLOAT, 0, true},
    {"cpu", device_open_cpu, TOL_GOLDEN_FLOAT, TOL_GOLDEN_RECIPE, false},
};
enum { SIDES = sizeof sides / sizeof sides[0] };

static void run_job(void **state) {
    const Job *job = *state;
    Device *device;
    if (job->side->open(&(DeviceOptions){0}, &device) != ST_OK)
        fail_msg("%s: %s", job->side->name, status_message());
    run_case(device, job);
    device->ops->close(device);
}

/* Plain loops take half of this program's time for these two, whose kinds of layers smaller
 * networks have as well. */
static bool is_long(const Job *job) {
    return job->side->open == device_open_ref64 &&
           (strcmp(job->name, "vit") == 0 || strcmp(job->name, "densenet-bc-100-12") == 0);
}

int main(void) {
    Job jobs[SIDES * CASES];
    struct CMUnitTest tests[SIDES * CASES];
    int n = 0;
    memset(tests, 0, sizeof tests);
    for (int j = 0; j < SIDES * CASES; j++) {
        const Side *side = &sides[j / CASES];
        bool recipe = j % CASES >= CASES - RECIPES;
        Job *job = &jobs[n];
        *job = (Job){.side = side, .name = cases[j % CASES]};
        /* Plain loops take minutes for five steps of a recipe. What the first does not show is the
         * optimizers', which are held to the same digits by the networks before these. */
        job->steps = recipe && side->open == device_open_ref64 ? 1 : STEPS;
        job->tolerance = recipe ? side->tolerance_of_recipes : side->tolerance;
        job->in_norm = recipe && side->open != device_open_ref64;
        if ((side->small_alone && j % CASES >= CASES - LARGE) || is_long(job))
            continue;
        snprintf(job->title, sizeof job->title, "%s on %s", job->name, side->name);
        tests[n++] =
            (struct CMUnitTest){.name = job->title, .test_func = run_job, .initial_state = job};
    }
    return _cmocka_run_group_tests("whole networks against PyTorch", tests, (size_t)n, NULL, NULL);
}
