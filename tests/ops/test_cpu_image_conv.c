/* Convolutions of images in bf16 by our own code (src/cpu/image_conv.h) against float64, each pass
 * by its error in the norm: forward rounds its outputs, gradients of weights and bias are sums in
 * fp32 of products of what is exact. And that no shape of an image's convolution goes through
 * oneDNN's code for any processor, which takes up to a second for one batch. The same bits at any
 * time, from any address and whatever stands in scratch: test_cpu_bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/image_conv.h"
#include "norm_compare.h"

/* Outputs are rounded by up to 2^-9 of an element; found: 1.7e-3 and, of 10^5 pixels, 5e-7. */
static const NormBounds BOUNDS = {.forward = 2.4e-3, .weights = 2e-6, .bias = 2e-6};

static Device *cpu, *ref;

/* Backward is one step, and a loop of ours; forward is one where the arithmetic says so. */
static void is_ours(const OpCase *row, const OpRun *op) {
    const StepPlan *plan = (const StepPlan *)op->plan;
    bool forward = strcmp(op->plan->arithmetic, IMAGE_CONV_NAME) == 0;
    if (plan->n_steps[PASS_BACKWARD] != 1 || !plan->step[PASS_BACKWARD][0].function)
        fail_msg("%s: backward is oneDNN's", row->name);
    if (forward != image_conv_takes_forward(plan) ||
        forward != (plan->step[PASS_FORWARD][0].function != NULL))
        fail_msg("%s: forward is %s", row->name, op->plan->arithmetic);
}

static void against_float64(const OpCase *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        OpCase row = rows[i];
        row.image = true;
        norm_compare_row(cpu, ref, &row, &BOUNDS, is_ours);
    }
}

static void both_passes(void **state) {
    (void)state;
    static const OpCase rows[] = {
        {.name = "3 to 64, 5x5", .text = "conv c=64 k=5 bias", .in = {25, 3, 32, 32}, .relu = true},
        {.name = "3 to 24, 2x2", .text = "conv c=24 k=2 bias", .in = {9, 3, 32, 32}},
        {.name = "4 to 128, 3x3", .text = "conv c=128 k=3 p=1 bias", .in = {5, 4, 20, 28}},
        {.name = "2 to 89, 5x5",
         .text = "conv c=89 k=5 p=2 bias",
         .in = {3, 2, 17, 11},
         .relu = true},
        {.name = "3 to 32, 96x96", .text = "conv c=32 k=5 bias", .in = {2, 3, 96, 96}},
        {.name = "4 to 27, 6x6", .text = "conv c=27 k=6 bias", .in = {2, 4, 6, 40}},
    };
    against_float64(rows, sizeof rows / sizeof *rows);
}

static void backward_alone(void **state) {
    (void)state;
    static const OpCase rows[] = {
        {.name = "3 to 64, 3x3", .text = "conv c=64 k=3 p=1", .in = {16, 3, 32, 32}},
        {.name = "3 to 32, 3x3",
         .text = "conv c=32 k=3 p=1 bias",
         .in = {16, 3, 32, 32},
         .relu = true},
        {.name = "1 to 96, 7x7",
         .text = "conv c=96 k=7 p=3 bias",
         .in = {7, 1, 28, 28},
         .relu = true},
        {.name = "3 to 64, 1x1", .text = "conv c=64 k=1", .in = {3, 3, 9, 13}},
    };
    against_float64(rows, sizeof rows / sizeof *rows);
}

/* Whether a step with activations of bfloat16 is oneDNN's code for any processor. */
static bool is_generic(const Step *step) {
    return step->work && primitive_is_generic(step->work);
}

static void look(const OpCase *row) {
    OpRun op = {0};
    if (op_run_open(cpu, row, &op) != ST_OK)
        fail_msg("%s: %s", row->name, status_message());
    const StepPlan *plan = (const StepPlan *)op.plan;
    for (int pass = PASS_FORWARD; pass < PASSES; pass++)
        for (int s = 0; s < plan->n_steps[pass]; s++)
            if (is_generic(&plan->step[pass][s]))
                fail_msg("%s, %d channels of %d x %d: %s", row->text, (int)row->in.c,
                         (int)row->in.h, (int)row->in.w, primitive_name(plan->step[pass][s].work));
    op_run_close(&op);
}

/* Channels in and out, kernels, strides, with and without padding and bias: whatever a first layer
 * may be. */
static void no_shape_is_slow(void **state) {
    (void)state;
    static const int in[] = {1, 2, 3, 4, 5}, out[] = {8, 10, 16, 24, 32, 48, 57, 64, 96};
    int shapes = 0;
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        for (size_t o = 0; o < sizeof out / sizeof *out; o++)
            for (int k = 1; k <= 9; k++)
                for (int s = 1; s <= 2; s++)
                    for (int more = 0; more < 2; more++) {
                        char text[64];
                        snprintf(text, sizeof text, "conv c=%d k=%d s=%d p=%d%s", out[o], k, s,
                                 more * (k / 2), more ? " bias" : "");
                        OpCase row = {
                            .name = "shape", .text = text, .in = {2, in[i], 32, 32}, .image = true};
                        look(&row);
                        shapes++;
                    }
    print_message("# %d shapes\n", shapes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_passes),
        cmocka_unit_test(backward_alone),
        cmocka_unit_test(no_shape_is_slow),
    };
    return norm_tests("images' convolutions", PRECISION_BF16, tests, sizeof tests / sizeof *tests,
                      &cpu, &ref);
}
