/* The cuda backend against the reference backend, in each precision; skipped where there is no GPU.
 *
 * In fp32 within the tolerance of fp32, in tf32 beyond it: so neither takes the other's engines.
 * Batch norm's engines are the only ones whose blocks may wait for each other: it is also recorded,
 * and run on several streams at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "whole_compare.h"
#include "op_compare.h"
#include "op_run.h"
#include "tolerance.h"

static Status open_cuda(Precision precision, Device **device) {
    const DeviceOptions options = {.precision = precision, .exact = true};
    return device_open_cuda(&options, device);
}

static Status open_fp32(Device **device) {
    return open_cuda(PRECISION_FP32, device);
}

static Status open_tf32(Device **device) {
    return open_cuda(PRECISION_TF32, device);
}

static Status open_bf16(Device **device) {
    return open_cuda(PRECISION_BF16, device);
}

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

/* What tests and tools write is what bfloat16 holds of it: to the nearest, at ties to even. The
 * bits are those of torch.tensor(...).bfloat16(). */
static void written_to_nearest_even(void **state) {
    static const struct {
        uint32_t value;
        uint32_t kept; /* the upper half */
    } cases[] = {{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
                 {0x3f807fff, 0x3f80}, {0x7f7fffff, 0x7f80}, {0x00008000, 0x0000},
                 {0x00018000, 0x0002}, {0xbf808000, 0xbf80}, {0xbf818000, 0xbf82}};
    enum { COUNT = sizeof cases / sizeof *cases };
    (void)state;
    double host[COUNT], found[COUNT];
    Tensor tensor = {.shape = {1, COUNT, 1, 1}, .dtype = DT_BF16, .bytes = 2 * COUNT};
    Device *device;
    Stream *stream;
    check(open_bf16(&device));
    check(device->ops->stream_open(device, &stream));
    check(device->ops->alloc(device, tensor.bytes, &tensor.data));
    for (int i = 0; i < COUNT; i++) {
        float value;
        memcpy(&value, &cases[i].value, sizeof value);
        host[i] = value;
    }
    check(device->ops->write_tensor(stream, &tensor, host));
    check(device->ops->read_tensor(stream, found, &tensor));
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits = cases[i].kept << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        assert_true(found[i] == (double)value);
    }
    device->ops->release(device, tensor.data);
    device->ops->stream_close(stream);
    device->ops->close(device);
}

enum { ROW_SECONDS = 120, SIDES = 4, TIMES = 8 };

/* Batch norm that cuDNN has an engine for: a whole vector of channels, and a ReLU. */
static const OpCase *bn_row(void) {
    for (int i = 0; i < op_table_count; i++) {
        const OpCase *row = &op_table[i];
        if (op_case_kind(row) == LAYER_BN && row->relu && !row->add && !row->evaluation &&
            row->in.c % 8 == 0)
            return row;
    }
    fail_msg("no row of batch norm with a ReLU and eight channels");
    return NULL;
}

static void run_twice(OpRun *run, const OpData *data, OpResult *result) {
    check(op_run_forward(run, data, result));
    check(op_run_backward(run, data, result));
}

static void same_bits(const OpData *data, const OpResult *found, const OpResult *expected) {
    size_t out = (size_t)data->out_count * sizeof(double),
           in = (size_t)data->in_count[0] * sizeof(double);
    assert_memory_equal(found->out, expected->out, out);
    assert_memory_equal(found->grad_in[0], expected->grad_in[0], in);
    for (int i = 0; i < 2; i++)
        assert_memory_equal(found->grad_param[i], expected->grad_param[i],
                            (size_t)data->param_count[i] * sizeof(double));
}

/* On scratch memory that is full of NaNs, as in all rows. */
static void bn_recorded(void **state) {
    const OpCase *row = bn_row();
    OpData data;
    OpRun run;
    OpResult found, expected;
    Device *device;
    (void)state;
    op_compare_limit("batch norm, recorded", ROW_SECONDS);
    check(open_bf16(&device));
    check(op_data_make(row, &data));
    op_data_round(&data, 8);
    check(op_result_make(&data, &found));
    check(op_result_make(&data, &expected));
    check(op_run_open(device, row, &run));
    assert_false(run.plan->own_kernels);
    run_twice(&run, &data, &expected);
    check(op_run_record(&run, &data.run));
    for (int i = 0; i < TIMES; i++) {
        run_twice(&run, &data, &found);
        same_bits(&data, &found, &expected);
    }
    op_run_close(&run);
    op_result_free(&found);
    op_result_free(&expected);
    op_data_free(&data);
    device->ops->close(device);
    op_compare_limit(NULL, 0);
}

typedef struct Side {
    pthread_t thread;
    OpRun run;
    const OpData *data;
    OpResult result;
    Status status;
} Side;

/* Enqueues many before it waits, so that they run beside those of others. */
static void *side_main(void *argument) {
    Side *side = argument;
    const Op *op = side->run.plan->op;
    for (int i = 0; i < TIMES && side->status == ST_OK; i++)
        side->status = op->forward(side->run.stream, side->run.bound, &side->data->run);
    if (side->status == ST_OK)
        side->status = op_run_forward(&side->run, side->data, &side->result);
    if (side->status == ST_OK)
        side->status = op_run_backward(&side->run, side->data, &side->result);
    return NULL;
}

static void bn_side_by_side(void **state) {
    static Side sides[SIDES];
    const OpCase *row = bn_row();
    OpData data;
    OpResult warm;
    Device *device;
    (void)state;
    op_compare_limit("batch norm on several streams", ROW_SECONDS);
    check(open_bf16(&device));
    check(op_data_make(row, &data));
    op_data_round(&data, 8);
    check(op_result_make(&data, &warm));
    for (int i = 0; i < SIDES; i++) {
        sides[i] = (Side){.data = &data};
        check(op_result_make(&data, &sides[i].result));
        check(op_run_open(device, row, &sides[i].run));
        run_twice(&sides[i].run, &data, &warm); /* all memory holds values */
    }
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(pthread_create(&sides[i].thread, NULL, side_main, &sides[i]), 0);
    for (int i = 0; i < SIDES; i++) {
        pthread_join(sides[i].thread, NULL);
        assert_int_equal(sides[i].status, ST_OK);
        same_bits(&data, &sides[i].result, &warm);
        op_run_close(&sides[i].run);
        op_result_free(&sides[i].result);
    }
    op_result_free(&warm);
    op_data_free(&data);
    device->ops->close(device);
    op_compare_limit(NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(written_to_nearest_even),
                                       cmocka_unit_test(bn_recorded),
                                       cmocka_unit_test(bn_side_by_side)};
    const OpBackend backends[] = {
        {.name = "cuda in fp32 against ref",
         .open = open_fp32,
         .tolerance = tolerance_op,
         .seconds = ROW_SECONDS},
        {.name = "cuda in tf32 against ref",
         .open = open_tf32,
         .tolerance = tolerance_tf32,
         .rounds = true,
         .seconds = ROW_SECONDS},
        {.name = "cuda in bf16 against ref",
         .open = open_bf16,
         .tolerance = tolerance_bf16,
         .bits = 8,
         .seconds = ROW_SECONDS},
    };
    const char *only = getenv("TEST_PART"); /* "fp32", "tf32", "bf16" or "others": this one alone */
    int failures = 0;
    Device *device;
    setvbuf(stdout, NULL, _IOLBF, 0); /* the process may end in the middle of a row */
    if (open_fp32(&device) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    device->ops->close(device);
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (!only || strstr(backends[i].name, only))
            failures += op_compare(&backends[i]);
    if (only && strcmp(only, "others") != 0)
        return failures;
    failures += whole_compare("whole tensors: cuda", open_fp32);
    failures += cmocka_run_group_tests(tests, NULL, NULL);
    return failures;
}
