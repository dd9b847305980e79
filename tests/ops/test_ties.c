/* Max pooling of equal values, and functions where they have a kink, on ref and on cpu: of equals
 * the first in row-major order alone gets the gradient. What is expected is what PyTorch 1.13
 * gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "op_run.h"

enum { SIDE = 4, PLACES = SIDE * SIDE };

static const double equals[PLACES] = {1,      1, 0, 1, /**/ 1, 0, 1, 1,
                                      /**/ 0, 0, 1, 1, /**/ 0, 0, 1, 1};

static const double kinks[PLACES] = {-1,     0, 6, 7, /**/ -0.0, 5, 6, 0,
                                     /**/ 1, 2, 3, 4, /**/ -6,   8, 0, 6};

/* x.grad of F.max_pool2d(x, ...).backward(arange(1, n + 1)), F.relu6(x) ... */
static const struct {
    const char *text;
    const double *image;
    int outputs;
    double gradient[PLACES];
} cases[] = {
    {"maxpool k=2", equals, 4, {1, 0, 0, 2, 0, 0, 0, 0, 3, 0, 4}},
    {"maxpool k=3 s=1 p=1", equals, 16, {14, 10, 0, 12, 19, 0, 23, 0, 13, 0, 45}},
    {"maxpool k=3 s=2 p=1", equals, 4, {1, 2, 0, 0, 3, 0, 4}},
    {"relu", kinks, 16, {0, 0, 3, 4, 0, 6, 7, 0, 9, 10, 11, 12, 0, 14, 0, 16}},
    {"relu6", kinks, 16, {0, 0, 0, 0, 0, 6, 0, 0, 9, 10, 11, 12, 0, 0, 0, 0}},
    {"leaky_relu slope=0.5",
     kinks,
     16,
     {0.5, 1, 3, 4, 2.5, 6, 7, 4, 9, 10, 11, 12, 6.5, 14, 7.5, 16}},
};

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

typedef Status Open(const DeviceOptions *options, Device **device);

static void as_pytorch_on(Open *open) {
    Device *device;
    check(open(&(DeviceOptions){0}, &device));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpCase row = {.name = "ties", .text = cases[i].text, .in = {1, 1, SIDE, SIDE}};
        OpData data;
        OpResult result;
        OpRun run = {0};
        check(op_data_make(&row, &data));
        assert_int_equal(data.out_count, cases[i].outputs);
        memcpy(data.in[0], cases[i].image, sizeof equals);
        for (int64_t k = 0; k < data.out_count; k++)
            data.grad_out[k] = (double)(k + 1);
        check(op_result_make(&data, &result));
        check(op_run_open(device, &row, &run));
        check(op_run_forward(&run, &data, &result));
        check(op_run_backward(&run, &data, &result));
        for (int k = 0; k < PLACES; k++)
            assert_true(result.grad_in[0][k] == cases[i].gradient[k]);
        op_run_close(&run);
        op_result_free(&result);
        op_data_free(&data);
    }
    device->ops->close(device);
}

static void as_pytorch_on_ref(void **state) {
    (void)state;
    as_pytorch_on(device_open_ref);
}

static void as_pytorch_in_ref64(void **state) {
    (void)state;
    as_pytorch_on(device_open_ref64);
}

static void as_pytorch_on_cpu(void **state) {
    (void)state;
    as_pytorch_on(device_open_cpu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pytorch_on_ref),
        cmocka_unit_test(as_pytorch_in_ref64),
        cmocka_unit_test(as_pytorch_on_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
