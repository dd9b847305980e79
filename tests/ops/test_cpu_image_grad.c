/* Gradients of the weights and biases of convolutions of images in fp32 by our own code
 * (src/cpu/f32_image_grad.h) against float64, by their error in the norm: sums in fp32 of a strip's
 * pixels, of strips and of images. The same bits at any time, from any address and whatever stands
 * in scratch: test_cpu_bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/f32_image_grad.h"
#include "norm_compare.h"

/* Found: 1.9e-7 at most. */
static const NormBounds BOUNDS = {.forward = 2e-6, .weights = 1e-6, .bias = 1e-6};

static Device *cpu, *ref;

/* Backward begins with a loop of ours: with the mask of a ReLU only where the input wants one. */
static void is_ours(const OpCase *row, const OpRun *op) {
    const StepPlan *plan = (const StepPlan *)op->plan;
    int weights = row->relu && op->plan->desc.grad_in[0] != GRAD_NONE;
    if (!f32_image_grad_takes(plan) || !plan->step[PASS_BACKWARD][weights].function)
        fail_msg("%s: its weights' gradient is oneDNN's", row->name);
}

static void against_float64(void **state) {
    (void)state;
    static const OpCase rows[] = {
        {.name = "3 to 64, 5x5", .text = "conv c=64 k=5 bias", .in = {25, 3, 32, 32}, .relu = true},
        {.name = "no ReLU", .text = "conv c=64 k=5 p=2", .in = {3, 3, 32, 32}},
        {.name = "half a pair", .text = "conv c=24 k=5 p=2 bias", .in = {3, 2, 17, 11}},
        {.name = "one vector", .text = "conv c=8 k=7 p=3 bias", .in = {7, 1, 28, 28}, .relu = true},
        {.name = "4 to 16, 6x6", .text = "conv c=16 k=6 bias", .in = {2, 4, 6, 40}, .relu = true},
        {.name = "one line", .text = "conv c=16 k=4", .in = {2, 3, 4, 9}},
        {.name = "lines longer than strips", .text = "conv c=16 k=4 p=1", .in = {1, 3, 5, 300}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int image = 0; image < 2; image++) { /* without and with its input's gradient */
            OpCase row = rows[i];
            row.image = image;
            norm_compare_row(cpu, ref, &row, &BOUNDS, is_ours);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_float64)};
    return norm_tests("gradients of images' convolutions", PRECISION_FP32, tests, 1, &cpu, &ref);
}
