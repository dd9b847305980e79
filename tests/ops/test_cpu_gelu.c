/* GELU in bf16 (src/cpu/gelu.c) at every bfloat16 against erfc in double: values are those next to
 * the exact ones, or nearly, and so are slopes times a gradient of 1. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lockstep/bf16.h"
#include "op_run.h"

enum { NUMBERS = 1 << 16 };

static Device *cpu;

/* Within half of the distance between neighbours, which is 2^-8 of the power of two above a number,
 * but for what is too close to call, and for what is below the least normal number. */
static bool is_next(double found, double exact) {
    int exponent;
    if (isnan(exact) || isinf(exact))
        return isnan(exact) ? isnan(found) != 0 : found == exact;
    frexp(exact, &exponent);
    return fabs(found - exact) <= ldexp(0x1.0002p-9, exponent) + 0x1p-126;
}

static void every_number(void **state) {
    (void)state;
    OpCase row = {.name = "gelu of all", .text = "gelu", .in = {NUMBERS / 16, 16, 1, 1}};
    OpData data;
    OpResult result;
    OpRun op = {0};
    assert_int_equal(op_data_make(&row, &data), ST_OK);
    assert_int_equal(op_result_make(&data, &result), ST_OK);
    for (int i = 0; i < NUMBERS; i++) {
        data.in[0][i] = (double)bf16_to_float((uint16_t)i);
        data.grad_out[i] = 1;
    }
    if (op_run_open(cpu, &row, &op) != ST_OK || op_run_forward(&op, &data, &result) != ST_OK ||
        op_run_backward(&op, &data, &result) != ST_OK)
        fail_msg("%s", status_message());
    for (int i = 0; i < NUMBERS; i++) {
        double x = data.in[0][i], below = erfc(-x * M_SQRT1_2) / 2;
        double density = exp(-x * x / 2) * (0.5 * M_2_SQRTPI * M_SQRT1_2);
        double value = isinf(x) && x < 0 ? NAN : x * below;
        double slope = isinf(x) ? NAN : below + x * density;
        if (!is_next(result.out[i], value))
            fail_msg("gelu(%a) is %a, not %a", x, result.out[i], value);
        if (!is_next(result.grad_in[0][i], slope))
            fail_msg("the slope at %a is %a, not %a", x, result.grad_in[0][i], slope);
    }
    op_run_close(&op);
    op_result_free(&result);
    op_data_free(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_number)};
    if (device_open_cpu(&(DeviceOptions){.precision = PRECISION_BF16}, &cpu) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cpu->ops->close(cpu);
    return failures;
}
