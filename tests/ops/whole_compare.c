/* whole_compare: see whole_compare.h. */
#include "whole_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lockstep/rng.h"
#include "tolerance.h"

enum { STEPS = 3 };

/* Vectors, small, square, wide and high ones, and beyond the tiles and chunks of kernels. */
static const int64_t shapes[][2] = {{1, 1},   {1, 37},  {23, 1},   {6, 27},  {27, 6},
                                    {16, 16}, {65, 65}, {40, 144}, {130, 20}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], COUNT_MAX = 40 * 144 };

static Status (*open_device)(Device **device);

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

static double drawn(uint32_t stream, int64_t i) {
    RngBlock block = rng_block(rng_key(11, RNG_SYNTHETIC), (uint32_t)i, stream, 0, 0);
    return 2 * (double)rng_unit(block.word[0]) - 1;
}

/* A flat buffer on a device. */
static void *buffer(Device *device, int64_t count) {
    void *memory;
    check(device->ops->alloc(device, (size_t)count * sizeof(double), &memory));
    return memory;
}

static void put(Device *device, Stream *stream, void *to, uint32_t draw, int64_t count) {
    double *wide = calloc((size_t)count, sizeof *wide);
    float *narrow = calloc((size_t)count, sizeof *narrow);
    assert_true(wide && narrow);
    for (int64_t i = 0; i < count; i++)
        wide[i] = narrow[i] = (float)drawn(draw, i);
    check(device->ops->upload(stream, to, device->real == DT_F64 ? (void *)wide : narrow,
                              (size_t)count * dtype_size(device->real)));
    check(device->ops->sync(stream, 60));
    free(wide);
    free(narrow);
}

static void get(Device *device, Stream *stream, double *to, const void *from, int64_t count) {
    float *narrow = calloc((size_t)count, sizeof *narrow);
    assert_non_null(narrow);
    check(device->ops->download(stream, device->real == DT_F64 ? (void *)to : narrow, from,
                                (size_t)count * dtype_size(device->real)));
    check(device->ops->sync(stream, 60));
    for (int64_t i = 0; i < count && device->real != DT_F64; i++)
        to[i] = (double)narrow[i];
    free(narrow);
}

typedef struct Case {
    OptimizerKind kind;
    int64_t rows, cols;
    bool exact, rescale, nesterov;
    int slots;
    double gradient; /* 0: there is none */
} Case;

/* The weight and the first slot after some steps. */
static void run(Device *device, const Case *c, double *weight, double *slot) {
    const DeviceOps *ops = device->ops;
    int64_t count = c->rows * c->cols;
    Stream *stream;
    check(ops->stream_open(device, &stream));
    void *gradient = buffer(device, count), *fixed = buffer(device, count);
    void *scratch = buffer(device, update_scratch(c->kind, c->rows, c->cols) + 1);
    UpdateRange range = {.count = count,
                         .weight = buffer(device, count),
                         .fixed = c->exact ? fixed : NULL,
                         .real = c->exact ? NULL : gradient,
                         .slot = {c->slots > 0 ? buffer(device, count) : NULL,
                                  c->slots > 1 ? buffer(device, count) : NULL},
                         .decay = 0.1};
    put(device, stream, range.weight, 1, count);
    for (uint32_t step = 0; step < STEPS; step++) {
        int64_t *sum = calloc((size_t)count, sizeof *sum);
        Update update = {.kind = c->kind,
                         .nesterov = c->nesterov,
                         .first = step == 0,
                         .lr = 0.5,
                         .momentum = c->slots > 0 ? 0.6 : 0,
                         .beta1 = 0.8,
                         .beta2 = 0.9,
                         .eps = 1e-3,
                         .trust_coefficient = 0.3,
                         .grad_scale = c->gradient * (c->exact ? 0x1p-30 : 1),
                         .correction1 = 1 - pow(0.8, step + 1),
                         .correction2 = 1 - pow(0.9, step + 1),
                         .muon_steps = c->rescale ? 3 : 5,
                         .muon_rescale = c->rescale};
        assert_non_null(sum);
        for (int64_t i = 0; i < count; i++)
            sum[i] = (int64_t)(drawn(2 + step, i) * 0x1p30);
        put(device, stream, gradient, 2 + step, count);
        check(ops->upload(stream, fixed, sum, (size_t)count * sizeof *sum));
        check(c->kind == OPTIMIZER_MUON
                  ? ops->muon(stream, &update, &range, c->rows, c->cols, scratch)
                  : ops->layerwise(stream, &update, &range, scratch));
        check(ops->sync(stream, 60));
        free(sum);
    }
    get(device, stream, weight, range.weight, count);
    if (c->slots > 0)
        get(device, stream, slot, range.slot[0], count);
    void *memory[] = {gradient, fixed, scratch, range.weight, range.slot[0], range.slot[1]};
    for (size_t m = 0; m < sizeof memory / sizeof memory[0]; m++)
        ops->release(device, memory[m]);
    ops->stream_close(stream);
}

/* As tolerance.h measures it. */
static double error_of(const double *found, const double *wanted, int64_t count) {
    double squares = 0, most = 0;
    for (int64_t i = 0; i < count; i++) {
        squares += wanted[i] * wanted[i];
        most = fmax(most, fabs(found[i] - wanted[i]));
    }
    return most / fmax(sqrt(squares / (double)count), ERROR_FLOOR);
}

static Device *sides[2]; /* the reference in double, and what is tested */

/* The larger error of weight and first slot. */
static double compare(const Case *c) {
    static double weight[2][COUNT_MAX], slot[2][COUNT_MAX];
    int64_t count = c->rows * c->cols;
    for (int d = 0; d < 2; d++)
        run(sides[d], c, weight[d], slot[d]);
    double error = error_of(weight[1], weight[0], count);
    return c->slots > 0 ? fmax(error, error_of(slot[1], slot[0], count)) : error;
}

static void muon(void **state) {
    double worst = 0;
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        for (int choice = 0; choice < 4; choice++) {
            Case c = {.kind = OPTIMIZER_MUON,
                      .rows = shapes[s][0],
                      .cols = shapes[s][1],
                      .exact = choice % 2 == 0,
                      .rescale = choice % 3 == 1,
                      .nesterov = choice % 3 > 0,
                      .slots = choice != 3,
                      .gradient = 0.25};
            double error = compare(&c);
            worst = fmax(worst, error);
            if (!(error <= TOL_MUON))
                fail_msg("%d x %d, choice %d: off by %g", (int)c.rows, (int)c.cols, choice, error);
        }
    if (getenv("TEST_ERRORS"))
        printf("muon: largest error %g\n", worst);
}

/* With a gradient and, where weights just decay, without; lars with and without momentum. */
static void layerwise(void **state) {
    double worst = 0;
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        for (int choice = 0; choice < 9; choice++) {
            bool lamb = choice % 3 == 2;
            Case c = {.kind = lamb ? OPTIMIZER_LAMB : OPTIMIZER_LARS,
                      .rows = shapes[s][0],
                      .cols = shapes[s][1],
                      .exact = choice % 2 == 0,
                      .slots = choice % 3,
                      .gradient = choice < 6 ? 0.25 : 0};
            double error = compare(&c);
            worst = fmax(worst, error);
            if (!(error <= TOL_LAYERWISE))
                fail_msg("%d x %d, choice %d: off by %g", (int)c.rows, (int)c.cols, choice, error);
        }
    if (getenv("TEST_ERRORS"))
        printf("lars, lamb: largest error %g\n", worst);
}

static int open_sides(void **state) {
    (void)state;
    return device_open_ref64(&(DeviceOptions){0}, &sides[0]) != ST_OK ||
           open_device(&sides[1]) != ST_OK;
}

static int close_sides(void **state) {
    (void)state;
    for (int d = 0; d < 2; d++)
        sides[d]->ops->close(sides[d]);
    return 0;
}

int whole_compare(const char *name, Status (*open)(Device **device)) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(muon), cmocka_unit_test(layerwise)};
    open_device = open;
    return cmocka_run_group_tests_name(name, tests, open_sides, close_sides);
}
