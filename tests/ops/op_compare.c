/* See op_compare.h. */
#include "op_compare.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attention_terms.h"
#include "op_run.h"
#include "tolerance.h"

static Device *other, *ref;
static const OpBackend *backend;
static double worst; /* error of the kind that is tested */
static int failures; /* of it */

static void judge(const OpCase *row, const char *what, double error, bool forward) {
    double tolerance = backend->tolerance(&row->tolerance, forward);
    if (getenv("TEST_ERRORS"))
        print_message("%-32s %-14s %.2g of %.2g\n", row->name, what, error, tolerance);
    worst = error > worst ? error : worst;
    if (!(error <= tolerance)) {
        print_error("%s: %s is off by %g, more than %g\n", row->name, what, error, tolerance);
        failures++;
    }
}

static void compare(const OpCase *row, const char *what, const double *found,
                    const double *expected, int64_t count, bool forward) {
    judge(row, what, tolerance_error(found, expected, count), forward);
}

/* The gradient of a temperature is one sum, which may be next to 0: against the size of its terms.
 */
static void compare_temperature(const OpCase *row, const OpData *data, double found,
                                double expected) {
    double size = fmax(attention_terms_norm(row, data), ERROR_FLOOR);
    judge(row, "temperature", fabs(found - expected) / size, false);
}

/* Said when time is up; made before, for a signal's handler may not. */
static char too_long[200];

static void end_process(int signal) {
    (void)signal;
    if (write(STDOUT_FILENO, too_long, strlen(too_long)) < 0)
        _exit(2);
    _exit(1);
}

void op_compare_limit(const char *name, int seconds) {
    const char *other_limit = getenv("TEST_ROW_SECONDS");
    if (other_limit)
        seconds = atoi(other_limit);
    alarm(0);
    if (!name || seconds == 0)
        return;
    snprintf(too_long, sizeof too_long, "not ok - %.120s did not end within %d s\n", name, seconds);
    signal(SIGALRM, end_process);
    alarm((unsigned)seconds);
}

static void run_row(Device *device, const OpCase *row, const OpData *data, OpRun *run,
                    OpResult *result) {
    Status status = op_result_make(data, result);
    if (status == ST_OK)
        status = op_run_open(device, row, run);
    if (status == ST_OK)
        status = op_run_forward(run, data, result);
    if (status == ST_OK && !row->evaluation)
        status = op_run_backward(run, data, result);
    if (status != ST_OK)
        fail_msg("%s on %s: %s", row->name, device->ops->name, status_message());
}

/* The same on ref where an addition is fused behind the op: `alone` is that op, which ref computes;
 * addition, ReLU and their gradients follow here. */
static void run_apart(const OpCase *row, const OpCase *alone, const OpData *data, OpRun *run,
                      OpResult *result) {
    OpData behind = *data;
    behind.grad_out = calloc((size_t)data->out_count, sizeof *behind.grad_out);
    assert_non_null(behind.grad_out);
    Status status = op_result_make(data, result);
    if (status == ST_OK)
        status = op_run_open(ref, alone, run);
    if (status == ST_OK)
        status = op_run_forward(run, data, result);
    for (int64_t i = 0; status == ST_OK && i < data->out_count; i++) {
        double sum = result->out[i] + data->in[1][i];
        bool passes = !row->relu || sum > 0;
        result->out[i] = passes ? sum : 0;
        behind.grad_out[i] = passes ? data->grad_out[i] : 0;
        result->grad_in[1][i] = behind.grad_out[i];
        if (op_grad_mode(row, 1) == GRAD_ADD)
            result->grad_in[1][i] += data->grad_before[1][i];
    }
    if (status == ST_OK && !row->evaluation)
        status = op_run_backward(run, &behind, result);
    free(behind.grad_out);
    if (status != ST_OK)
        fail_msg("%s without its addition on ref: %s", row->name, status_message());
}

static void compare_forward(const OpCase *row, const Layer *layer, const OpData *data,
                            const OpResult *found, const OpResult *expected) {
    if (op_case_type(row)->is_loss) {
        compare(row, "loss", found->loss, expected->loss, data->batch, true);
        assert_memory_equal(found->predicted, expected->predicted,
                            (size_t)data->batch * sizeof *found->predicted);
    } else {
        compare(row, "output", found->out, expected->out, data->out_count, true);
    }
    for (int i = 0; i < layer->n_running && !row->evaluation; i++)
        compare(row, layer->running[i].role, found->stats[i], expected->stats[i], data->channels,
                true);
}

static void check_row(const OpCase *row) {
    OpData data;
    OpRun run_other, run_ref;
    OpResult found, expected;
    if (op_data_make(row, &data) != ST_OK)
        fail_msg("%s: %s", row->name, status_message());
    if (backend->bits > 0)
        op_data_round(&data, backend->bits);
    OpCase alone = *row;
    alone.add = alone.relu = false;
    if (row->add)
        run_apart(row, &alone, &data, &run_ref, &expected);
    else
        run_row(ref, row, &data, &run_ref, &expected);
    op_compare_limit(row->name, backend->seconds);
    run_row(other, row, &data, &run_other, &found);
    op_compare_limit(NULL, 0);
    compare_forward(row, &run_ref.layer, &data, &found, &expected);
    for (int k = 0; k < LAYER_INPUTS_MAX; k++)
        if (op_has_grad(row, k))
            compare(row, k == 0 ? "grad input" : "grad another input", found.grad_in[k],
                    expected.grad_in[k], data.in_count[k], false);
    for (int i = 0; i < run_ref.layer.n_params && !row->evaluation; i++) {
        if (run_ref.layer.kind == LAYER_ATTENTION)
            compare_temperature(row, &data, *found.grad_param[i], *expected.grad_param[i]);
        else
            compare(row, run_ref.layer.param[i].role, found.grad_param[i], expected.grad_param[i],
                    data.param_count[i], false);
    }
    op_run_close(&run_other);
    op_run_close(&run_ref);
    op_result_free(&found);
    op_result_free(&expected);
    op_data_free(&data);
}

static void check_kind(void **state) {
    static const OpTolerance convolution = TOL_OP_CONVOLUTION;
    LayerKind kind = *(const LayerKind *)*state;
    int rows = 0;
    worst = 0;
    failures = 0;
    for (int i = 0; i < op_table_count; i++) {
        if (op_case_kind(&op_table[i]) != kind || !op_supported(other, &op_table[i]))
            continue;
        check_row(&op_table[i]);
        rows++;
    }
    assert_true(rows > 0);
    assert_int_equal(failures, 0);
    if (backend->rounds && kind == LAYER_CONV && worst <= convolution.forward)
        fail_msg("off by %g at most: nothing was rounded", worst);
}

static int open_devices(void **state) {
    (void)state;
    if (device_open_ref(&(DeviceOptions){0}, &ref) != ST_OK || backend->open(&other) != ST_OK) {
        print_message("%s\n", status_message());
        return -1;
    }
    print_message("%s: %s\n", backend->name, other->description);
    return 0;
}

static int close_devices(void **state) {
    (void)state;
    other->ops->close(other);
    ref->ops->close(ref);
    return 0;
}

int op_compare(const OpBackend *tested) {
    static LayerKind kinds[LAYER_KINDS];
    static struct CMUnitTest tests[LAYER_KINDS];
    backend = tested;
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        kinds[kind] = (LayerKind)kind;
        tests[kind].name = layer_type((LayerKind)kind)->name;
        tests[kind].test_func = check_kind;
        tests[kind].initial_state = &kinds[kind];
    }
    if (getenv("TEST_KIND"))
        cmocka_set_test_filter(getenv("TEST_KIND"));
    return cmocka_run_group_tests_name(backend->name, tests, open_devices, close_devices);
}
