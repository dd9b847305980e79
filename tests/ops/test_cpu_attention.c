/* Attention by our own (src/cpu/attention_heads.h), in the precision that this processor has it in,
 * against float64, forward and each part of backward by its error in the norm, in the shapes of the
 * vision transformers and odd ones. The same bits at any time, from any address and whatever stands
 * in scratch: test_cpu_bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/cpu/plan.h"
#include "attention_terms.h"
#include "norm_compare.h"

/* Norm of the error over the norm of the result; and of the temperature's gradient, one number, in
 * which random data nearly cancel, its error over the norm of its terms. */
typedef struct Bounds {
    double values, temperature;
} Bounds;

/* In bf16 shares, the gradients of scores, and what comes out are rounded to bfloat16: each by up
 * to 2^-9 of an element, 1.7e-3 in the norm. Found: 2.3e-3 to 3.1e-3; of the temperature up to
 * 7.8e-3 in 24 draws of the data (TEST_SEED). */
static const Bounds BF16 = {4e-3, 2.5e-2};

/* In fp32 sums over tokens and values of a head are rounded by up to 2^-24 a term. Found: 0.8
 * to 5.3e-7; of the temperature up to 6.6e-7. */
static const Bounds F32 = {1e-6, 3e-6};

static Device *cpu, *ref;

static const CpuDevice *device(void) {
    return (const CpuDevice *)cpu;
}

static const Bounds *bounds(void) {
    return device()->bf16_vectors ? &BF16 : &F32;
}

static void is_ours(const OpCase *row, const OpRun *op) {
    const char *name = device()->bf16_vectors ? "own bf16" : "own f32";
    if (!op->plan->arithmetic || strcmp(op->plan->arithmetic, name) != 0)
        fail_msg("%s is not computed by our own", row->name);
}

/* Queries, keys or values of a gradient, side by side. */
static int64_t pick(const OpCase *row, const double *from, int part, double *to) {
    int64_t map = row->in.h * row->in.w, count = row->in.c / 3 * map;
    for (int64_t n = 0; n < row->in.n; n++)
        memcpy(to + n * count, from + (3 * n + part) * count, (size_t)count * sizeof *to);
    return row->in.n * count;
}

static void compare_gradients(const OpCase *row, const OpResult *found, const OpResult *expected,
                              int64_t count) {
    static const char *const names[] = {"of queries", "of keys", "of values"};
    double *parts = calloc((size_t)(2 * count), sizeof *parts);
    assert_non_null(parts);
    for (int part = 0; part < 3; part++) {
        int64_t n = pick(row, found->grad_in[0], part, parts);
        pick(row, expected->grad_in[0], part, parts + count);
        norm_check(row, names[part], parts, parts + count, n, bounds()->values);
    }
    free(parts);
}

static void check_row(const OpCase *row) {
    OpData data;
    OpResult found, expected;
    assert_int_equal(op_data_make(row, &data), ST_OK);
    if (device()->bf16_vectors)
        op_data_round(&data, 8);
    norm_run(ref, row, &data, NULL, &expected);
    norm_run(cpu, row, &data, is_ours, &found);
    norm_check(row, "output", found.out, expected.out, data.out_count, bounds()->values);
    if (!row->evaluation && op_grad_mode(row, 0) != GRAD_NONE)
        compare_gradients(row, &found, &expected, data.in_count[0]);
    if (!row->evaluation && data.param_count[WEIGHT] > 0)
        norm_judge(row, "temperature",
                   fabs(*found.grad_param[WEIGHT] - *expected.grad_param[WEIGHT]) /
                       attention_terms_norm(row, &data),
                   bounds()->temperature);
    op_result_free(&found);
    op_result_free(&expected);
    op_data_free(&data);
}

static void against_float64(void **state) {
    (void)state;
    static const OpCase rows[] = {
        {.name = "65 tokens, masked",
         .text = "attention heads=6 temperature mask_diagonal",
         .in = {8, 1152, 65, 1}},
        {.name = "64 tokens", .text = "attention heads=2", .in = {8, 384, 8, 8}},
        {.name = "7 tokens, 16 values", .text = "attention heads=3", .in = {5, 144, 7, 1}},
        {.name = "100 tokens, 48 values",
         .text = "attention heads=2 temperature",
         .in = {3, 288, 10, 10}},
        {.name = "an evaluation",
         .text = "attention heads=2",
         .in = {3, 192, 33, 1},
         .evaluation = true},
        {.name = "197 tokens, 32 values",
         .text = "attention heads=2 temperature",
         .in = {2, 192, 197, 1},
         .grad_in = {GRAD_ADD}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_float64)};
    const size_t n = sizeof tests / sizeof *tests;
    return norm_tests("attention", PRECISION_FP32, tests, n, &cpu, &ref) +
           norm_tests("attention", PRECISION_BF16, tests, n, &cpu, &ref);
}
