/* The reference backend in double against central finite differences: gradients of the inputs and
 * the parameters of every layer kind, of the scalar sum(grad_out * out) (softmax_ce: the sum of the
 * losses times loss_scale). At most SAMPLES elements of each tensor are moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "op_run.h"
#include "tolerance.h"

static const double STEP = 1e-5;
enum { SAMPLES = 60 };

static Device *device;

/* The scalar that is differentiated. */
static double objective(OpRun *run, const OpData *data, OpResult *result) {
    double sum = 0;
    assert_int_equal(op_run_forward(run, data, result), ST_OK);
    if (op_case_type(run->row)->is_loss) {
        for (int64_t n = 0; n < data->batch; n++)
            sum += result->loss[n] * data->run.loss_scale;
        return sum;
    }
    for (int64_t i = 0; i < data->out_count; i++)
        sum += data->grad_out[i] * result->out[i];
    return sum;
}

/* Compares gradient[count] (less `before`, or NULL) with differences of value[count], a part of
 * `data`. */
static void check(const char *what, OpRun *run, const OpData *data, double *value,
                  const double *gradient, const double *before, int64_t count) {
    OpResult moved;
    double found[SAMPLES], expected[SAMPLES];
    int64_t samples = count < SAMPLES ? count : SAMPLES;
    assert_int_equal(op_result_make(data, &moved), ST_OK);
    for (int64_t s = 0; s < samples; s++) {
        int64_t i = s * count / samples;
        double kept = value[i], up, down;
        value[i] = kept + STEP;
        up = objective(run, data, &moved);
        value[i] = kept - STEP;
        down = objective(run, data, &moved);
        value[i] = kept;
        expected[s] = (up - down) / (2 * STEP);
        found[s] = gradient[i] - (before ? before[i] : 0);
    }
    op_result_free(&moved);
    double error = tolerance_error(found, expected, samples);
    if (!(error <= TOL_FINITE_DIFFERENCE))
        fail_msg("%s: gradient of %s is off by %g", run->row->name, what, error);
}

static void check_row(const OpCase *row) {
    OpRun run;
    OpData data;
    OpResult result;
    assert_int_equal(op_data_make(row, &data), ST_OK);
    assert_int_equal(op_result_make(&data, &result), ST_OK);
    if (op_run_open(device, row, &run) != ST_OK)
        fail_msg("%s: %s", row->name, status_message());
    assert_int_equal(op_run_forward(&run, &data, &result), ST_OK);
    assert_int_equal(op_run_backward(&run, &data, &result), ST_OK);
    for (int k = 0; k < LAYER_INPUTS_MAX; k++) {
        bool adds = op_grad_mode(row, k) == GRAD_ADD;
        if (op_has_grad(row, k))
            check(k == 0 ? "the input" : "another input", &run, &data, data.in[k],
                  result.grad_in[k], adds ? data.grad_before[k] : NULL, data.in_count[k]);
    }
    for (int i = 0; i < run.layer.n_params; i++)
        check(run.layer.param[i].role, &run, &data, data.param[i], result.grad_param[i], NULL,
              data.param_count[i]);
    op_run_close(&run);
    op_result_free(&result);
    op_data_free(&data);
}

static void check_kind(void **state) {
    LayerKind kind = *(const LayerKind *)*state;
    int rows = 0;
    for (int i = 0; i < op_table_count; i++) {
        if (op_case_kind(&op_table[i]) != kind || op_table[i].large || op_table[i].evaluation ||
            op_table[i].add) /* which ref does not fuse */
            continue;
        assert_true(op_supported(device, &op_table[i]));
        check_row(&op_table[i]);
        rows++;
    }
    assert_true(rows > 0);
}

static int open_device(void **state) {
    (void)state;
    return device_open_ref64(&(DeviceOptions){0}, &device) == ST_OK ? 0 : -1;
}

static int close_device(void **state) {
    (void)state;
    device->ops->close(device);
    return 0;
}

int main(void) {
    LayerKind kinds[LAYER_KINDS];
    struct CMUnitTest tests[LAYER_KINDS];
    memset(tests, 0, sizeof tests);
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        kinds[kind] = (LayerKind)kind;
        tests[kind].name = layer_type((LayerKind)kind)->name;
        tests[kind].test_func = check_kind;
        tests[kind].initial_state = &kinds[kind];
    }
    return cmocka_run_group_tests_name("ref against finite differences", tests, open_device,
                                       close_device);
}
