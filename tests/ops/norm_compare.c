/* norm_compare: see norm_compare.h. */
#include "norm_compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/cpu/plan.h"
#include "lockstep/operand.h"

static double norm_error(const double *found, const double *expected, int64_t count) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < count; i++) {
        off += (found[i] - expected[i]) * (found[i] - expected[i]);
        all += expected[i] * expected[i];
    }
    return sqrt(off / all);
}

void norm_judge(const OpCase *row, const char *what, double error, double bound) {
    print_message("%-26s %-12s %.2g of %.2g\n", row->name, what, error, bound);
    if (!(error <= bound))
        fail_msg("%s: %s is off by %g, more than %g", row->name, what, error, bound);
}

void norm_check(const OpCase *row, const char *what, const double *found, const double *expected,
                int64_t count, double bound) {
    norm_judge(row, what, norm_error(found, expected, count), bound);
}

static void compare(const OpCase *row, const char *what, const double *found,
                    const double *expected, int64_t count, double bound) {
    if (bound > 0 && count > 0)
        norm_check(row, what, found, expected, count, bound);
}

void norm_run(Device *device, const OpCase *row, const OpData *data, LookAtOp look,
              OpResult *result) {
    OpRun op = {0};
    Status status = op_result_make(data, result);
    if (status == ST_OK)
        status = op_run_open(device, row, &op);
    if (status == ST_OK && look)
        look(row, &op);
    if (status == ST_OK)
        status = op_run_forward(&op, data, result);
    if (status == ST_OK && !row->evaluation)
        status = op_run_backward(&op, data, result);
    if (status != ST_OK)
        fail_msg("%s on %s: %s", row->name, device->ops->name, status_message());
    op_run_close(&op);
}

void norm_against(Device *device, const OpCase *row, const OpData *data, const OpResult *expected,
                  const NormBounds *bounds, LookAtOp look) {
    OpResult found;
    norm_run(device, row, data, look, &found);
    compare(row, "forward", found.out, expected->out, data->out_count, bounds->forward);
    compare(row, "input", found.grad_in[0], expected->grad_in[0], data->in_count[0], bounds->input);
    compare(row, "weights", found.grad_param[WEIGHT], expected->grad_param[WEIGHT],
            data->param_count[WEIGHT], bounds->weights);
    compare(row, "bias", found.grad_param[BIAS], expected->grad_param[BIAS],
            data->param_count[BIAS], bounds->bias);
    op_result_free(&found);
}

void norm_compare(Device *device, Device *ref, const OpCase *row, OpData *data,
                  const NormBounds *bounds, LookAtOp look) {
    OpResult expected;
    op_data_round(data, 8);
    norm_run(ref, row, data, NULL, &expected);
    norm_against(device, row, data, &expected, bounds, look);
    op_result_free(&expected);
}

void norm_compare_row(Device *device, Device *ref, const OpCase *row, const NormBounds *bounds,
                      LookAtOp look) {
    OpData data;
    assert_int_equal(op_data_make(row, &data), ST_OK);
    norm_compare(device, ref, row, &data, bounds, look);
    op_data_free(&data);
}

int norm_tests(const char *name, Precision precision, const struct CMUnitTest *tests, size_t count,
               Device **cpu, Device **ref) {
    const char *named = precision == PRECISION_BF16 ? "bf16" : "fp32";
    char group[64];
    snprintf(group, sizeof group, "%s in %s", name, named);
    Status status = device_open_cpu(&(DeviceOptions){.precision = precision}, cpu);
    const CpuDevice *device = status == ST_OK ? (const CpuDevice *)*cpu : NULL;
    if (!device || (!device->bf16_vectors && !device->f32_vectors)) {
        printf("1..1\nok 1 - %s # SKIP %s\n", group,
               device ? "another arithmetic on this processor" : status_message());
        if (device)
            (*cpu)->ops->close(*cpu);
        return 0;
    }
    if (device_open_ref64(&(DeviceOptions){0}, ref) != ST_OK)
        return 1;
    if (getenv("TEST_ONLY"))
        cmocka_set_test_filter(getenv("TEST_ONLY"));
    int failures = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    (*ref)->ops->close(*ref);
    (*cpu)->ops->close(*cpu);
    return failures;
}
