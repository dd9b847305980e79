/* Gradients of the weights and biases of linear layers of many rows, 1x1 convolutions of places, in
 * fp32 by our own code (src/cpu/f32_rows_grad.h) against float64, by their error in the norm: sums
 * in fp32 over blocks of rows. The same bits at any time, from any address and whatever stands in
 * scratch: test_cpu_bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/f32_rows_grad.h"
#include "norm_compare.h"

/* Found: 4.5e-7 at most. */
static const NormBounds BOUNDS = {.forward = 2e-6, .input = 2e-6, .weights = 2e-6, .bias = 2e-6};

static Device *cpu, *ref;

static void is_ours(const OpCase *row, const OpRun *op) {
    const StepPlan *plan = (const StepPlan *)op->plan;
    int ours = 0;
    for (int s = 0; s < plan->n_steps[PASS_BACKWARD]; s++)
        ours += plan->step[PASS_BACKWARD][s].function != NULL;
    if (!f32_rows_grad_takes(plan) || ours == 0)
        fail_msg("%s: its weights' gradient is oneDNN's", row->name);
}

/* Channels that are no multiple of 8 on one side lie pixel by pixel, as tokens do. */
static const OpCase rows[] = {
    {.name = "whole panels of inputs", .text = "conv c=50 k=1 bias", .in = {64, 48, 8, 8}},
    {.name = "whole panels of outputs", .text = "conv c=54 k=1", .in = {64, 50, 8, 8}},
    {.name = "rests", .text = "conv c=65 k=1 bias", .in = {66, 37, 9, 7}},
    {.name = "ReLU", .text = "conv c=33 k=1 bias", .in = {64, 31, 9, 9}, .relu = true},
    {.name = "one of each", .text = "conv c=1 k=1 bias", .in = {64, 1, 8, 8}},
    {.name = "512 inputs", .text = "conv c=125 k=1 bias", .in = {64, 512, 13, 5}},
};

static void against_float64(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        norm_compare_row(cpu, ref, &rows[i], &BOUNDS, is_ours);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_float64)};
    return norm_tests("gradients of rows", PRECISION_FP32, tests, 1, &cpu, &ref);
}
