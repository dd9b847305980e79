/* NaN stays NaN: one NaN among the inputs of an element-wise function is one among its outputs, in
 * training and in evaluation, and one that comes from above is one among its gradients. On ref and
 * on cpu; whether other places have numbers is for the op table. oneDNN's ReLU is the exception
 * that docs/design.md tells of. Of max pooling's windows that are loops of our own NaN is the
 * largest, the first of several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "../../src/cpu/plan.h"
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

static void pool(Device *device, const OpCase *row, OpData *data, OpResult *result) {
    OpRun run = {0};
    check(op_run_open(device, row, &run));
    check(op_run_forward(&run, data, result));
    check(op_run_backward(&run, data, result));
    op_run_close(&run);
}

/* Every value and gradient, bit for bit: sums over windows are in one order. Channels are whole
 * vectors in blocks, and vectors and a rest in NHWC. */
static void maxima_are_as_on_ref(Device *cpu, Device *ref, const char *text, int64_t channels) {
    enum { EVERY = 5 };
    OpCase row = {.name = "NaN", .text = text, .in = {2, channels, 7, 8}, .draw = DRAW_DISTINCT};
    OpData data;
    OpResult own, expected;
    check(op_data_make(&row, &data));
    for (int64_t i = 0; i < data.in_count[0]; i += 1 + i % EVERY)
        data.in[0][i] = NAN;
    check(op_result_make(&data, &own));
    check(op_result_make(&data, &expected));
    pool(cpu, &row, &data, &own);
    pool(ref, &row, &data, &expected);
    for (int64_t i = 0; i < data.out_count; i++)
        if (isnan(expected.out[i]) ? !isnan(own.out[i]) : own.out[i] != expected.out[i])
            fail_msg("%s: output %d is %g, not %g", text, (int)i, own.out[i], expected.out[i]);
    for (int64_t i = 0; i < data.in_count[0]; i++)
        if (own.grad_in[0][i] != expected.grad_in[0][i])
            fail_msg("%s: gradient %d is %g, not %g", text, (int)i, own.grad_in[0][i],
                     expected.grad_in[0][i]);
    op_result_free(&expected);
    op_result_free(&own);
    op_data_free(&data);
}

static void nan_is_the_largest(void **state) {
    static const struct {
        const char *text;
        int64_t kernel, stride, pad;
    } rows[] = {
        {"maxpool k=2", 2, 2, 0},     {"maxpool k=3 s=2 p=1", 3, 2, 1},
        {"maxpool k=3 s=1", 3, 1, 0}, {"maxpool k=2 s=1 p=1", 2, 1, 1},
        {"maxpool k=3 p=1", 3, 3, 1}, {"maxpool k=5 s=3 p=2", 5, 3, 2},
    };
    Device *cpu, *ref;
    int own = 0;
    (void)state;
    check(device_open_cpu(&(DeviceOptions){0}, &cpu));
    check(device_open_ref(&(DeviceOptions){0}, &ref));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rule_maxpool((Shape){2, 16, 4, 4}, rows[i].kernel, rows[i].stride, rows[i].pad,
                         ((CpuDevice *)cpu)->wide)) {
            maxima_are_as_on_ref(cpu, ref, rows[i].text, 16);
            maxima_are_as_on_ref(cpu, ref, rows[i].text, 19);
            own++;
        }
    assert_true(own > 0);
    ref->ops->close(ref);
    cpu->ops->close(cpu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_stays_on_ref),
        cmocka_unit_test(nan_stays_on_cpu),
        cmocka_unit_test(nan_stays_on_cpu_in_bf16),
        cmocka_unit_test(nan_is_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
