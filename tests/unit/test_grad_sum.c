/* grad_sum: the gradient of what is frozen counts for nobody: NaN in it is no bad value of the
 * step, exact or native, whichever bucket it falls into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/engine/grad_sum.h"

static const char network[] = "conv c=8 k=3 bias\n"
                              "bn\n"
                              "conv c=8 k=3\n"
                              "linear c=10\n";

typedef struct Fixture {
    Model model;
    Grouping grouping;
    Comm *comm;
    Device *device;
    Stream *stream;
    RunConfig config;
    GradSum sum;
    bool frozen[2];
} Fixture;

static Fixture f;

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

static void open_sum(Reduction reduction, int64_t bucket_bytes) {
    static const Optimizer optimizer = {.momentum = 0.9};
    static const Schedule schedule = {.lr = 1};
    memset(&f, 0, sizeof f);
    f.config.reduction = reduction;
    f.config.lanes = 4;
    f.config.bucket_bytes = bucket_bytes;
    check(model_parse(network, "network", 1, (Shape){1, 3, 32, 32}, 10, 0, &f.model));
    check(grouping_open(&f.model, "bn1.*,conv2.weight frozen", "network", 1, &optimizer, &schedule,
                        &f.grouping));
    check(comm_open_self(10, &f.comm));
    check(device_open_ref(&(DeviceOptions){0}, &f.device));
    check(f.device->ops->stream_open(f.device, &f.stream));
    check(grad_sum_open(&f.sum, f.comm, f.device, &f.model, &f.config, NULL));
    f.sum.grouping = &f.grouping;
    f.frozen[0] = true;
}

static void close_sum(void) {
    grad_sum_close(&f.sum);
    f.device->ops->stream_close(f.stream);
    f.device->ops->close(f.device);
    comm_close(f.comm);
    grouping_free(&f.grouping);
    model_free(&f.model);
}

/* Adds two lanes of that gradient; bad[2] counts. */
static void add_lanes(const float *gradient, int64_t bad[2]) {
    int64_t words[TAIL_WORDS] = {0};
    double busy;
    bool complete;
    bad[0] = bad[1] = 0;
    check(grad_sum_begin(&f.sum, f.stream, 0, 2));
    for (int lane = 0; lane < 2; lane++)
        for (int b = f.sum.buckets - 1; b >= 0; b--)
            check(grad_sum_add(&f.sum, f.stream, b, gradient, bad, &complete));
    check(grad_sum_finish(&f.sum, f.stream, words));
    check(grad_sum_wait(&f.sum, f.stream, &busy));
}

static bool is_frozen(int64_t i) {
    for (int r = 0; r < f.grouping.n_ranges; r++)
        if (i >= f.grouping.range[r].begin && i < f.grouping.range[r].end)
            return f.grouping.range[r].group == 0;
    return false;
}

static void nan_of_the_frozen(Reduction reduction, int64_t bucket_bytes) {
    open_sum(reduction, bucket_bytes);
    int64_t flat = f.model.flat, bad[2], frozen = 0;
    float *gradient = calloc((size_t)flat, sizeof *gradient);
    assert_non_null(gradient);
    for (int64_t i = 0; i < flat; i++) {
        gradient[i] = is_frozen(i) ? NAN : (float)i / 64;
        frozen += is_frozen(i);
    }
    assert_true(frozen >= 8 + 8 + 8 * 8 * 9 && frozen < flat / 2);
    f.sum.frozen = f.frozen;
    add_lanes(gradient, bad);
    assert_int_equal(bad[0], 0);
    if (reduction == REDUCTION_EXACT)
        assert_int_equal(bad[1], 2 * frozen);
    for (int64_t i = 0; i < flat; i++) {
        const int64_t *fixed;
        const void *real;
        grad_sum_at(&f.sum, i, &fixed, &real);
        double sum = fixed ? (double)*fixed * grad_sum_unit(&f.sum) : (double)*(const float *)real;
        assert_true(is_frozen(i) || sum == 2 * (double)gradient[i]);
    }
    f.sum.frozen = NULL; /* before it is frozen it counts */
    add_lanes(gradient, bad);
    assert_int_equal(bad[0], reduction == REDUCTION_EXACT ? 2 * frozen : 0);
    free(gradient);
    close_sum();
}

static void exact_sums(void **state) {
    (void)state;
    nan_of_the_frozen(REDUCTION_EXACT, 1 << 20);
    nan_of_the_frozen(REDUCTION_EXACT, 4096);
}

static void native_sums(void **state) {
    (void)state;
    nan_of_the_frozen(REDUCTION_NATIVE, 1 << 20);
    nan_of_the_frozen(REDUCTION_NATIVE, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_sums),
        cmocka_unit_test(native_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
