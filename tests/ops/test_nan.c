/* NaN stays NaN: one NaN among the inputs of an element-wise function is one among its outputs, in
 * training and in evaluation, and one that comes from above is one among its gradients. On ref and
 * on cpu; whether other places have numbers is for the op table. oneDNN's ReLU is the exception
 * that docs/design.md tells of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "op_run.h"

/* Whole vectors of any instruction set before, around and behind the place. */
enum { CHANNELS = 67, PLACE = 35 };

static const char *const texts[] = {"gelu",  "silu",       "sigmoid",    "tanh",
                                    "relu6", "leaky_relu", "scale by=2", "relu"};

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

static void nan_stays(Device *device, const char *text, bool evaluation) {
    OpCase row = {.name = "NaN", .text = text, .in = {8, CHANNELS, 1, 1}, .evaluation = evaluation};
    OpData data;
    OpResult result;
    OpRun run = {0};
    check(op_data_make(&row, &data));
    data.in[0][PLACE] = NAN;
    check(op_result_make(&data, &result));
    check(op_run_open(device, &row, &run));
    check(op_run_forward(&run, &data, &result));
    for (int64_t i = 0; i < data.out_count; i++)
        if (isnan(result.out[i]) != (i == PLACE))
            fail_msg("%s: %s%s: output %d is %g", device->ops->name, text,
                     evaluation ? " in evaluation" : "", (int)i, result.out[i]);
    if (!evaluation) {
        data.in[0][PLACE] = 0.5;
        data.grad_out[PLACE] = NAN;
        check(op_run_forward(&run, &data, &result));
        check(op_run_backward(&run, &data, &result));
        for (int64_t i = 0; i < data.in_count[0]; i++)
            if (isnan(result.grad_in[0][i]) != (i == PLACE))
                fail_msg("%s: %s: gradient %d is %g", device->ops->name, text, (int)i,
                         result.grad_in[0][i]);
    }
    op_run_close(&run);
    op_result_free(&result);
    op_data_free(&data);
}

static void nan_stays_on(Device *device, bool relu) {
    for (size_t i = 0; i + !relu < sizeof texts / sizeof *texts; i++) {
        nan_stays(device, texts[i], false);
        nan_stays(device, texts[i], true);
    }
    device->ops->close(device);
}

static void nan_stays_on_ref(void **state) {
    Device *device;
    (void)state;
    check(device_open_ref(&(DeviceOptions){0}, &device));
    nan_stays_on(device, true);
}

static void nan_stays_on_cpu(void **state) {
    Device *device;
    (void)state;
    check(device_open_cpu(&(DeviceOptions){0}, &device));
    nan_stays_on(device, false);
}

static void nan_stays_on_cpu_in_bf16(void **state) {
    Device *device;
    (void)state;
    if (device_open_cpu(&(DeviceOptions){.precision = PRECISION_BF16}, &device) != ST_OK)
        skip();
    nan_stays_on(device, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_stays_on_ref),
        cmocka_unit_test(nan_stays_on_cpu),
        cmocka_unit_test(nan_stays_on_cpu_in_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
