/* The cpu backend's promise of same bits, for every row of the op table: outputs and gradients of
 * an op alone equal, bit for bit, those of the op on two threads at once, at other addresses (each
 * buffer moved by another number of cache lines), and planned and run by a thread whose OpenMP
 * default is more than one thread. In fp32, and in bf16 where the processor has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>
#include <pthread.h>

#include "op_run.h"

enum { LINE = 64 };

static DeviceOptions options;
static Device *cpu;
static DeviceOps plain_ops, shifted_ops;
static _Thread_local int shift; /* cache lines: of this thread's next buffer */

/* The device's allocator, but each buffer of a thread starts some lines further on than the one
 * before; the start of the block stands in the line before the buffer. */
static Status shifted_alloc(Device *device, size_t bytes, void **memory) {
    void *block;
    size_t lead = (size_t)(1 + shift++ % 37) * LINE;
    TRY(plain_ops.alloc(device, bytes + lead, &block));
    *memory = (char *)block + lead;
    ((void **)*memory)[-1] = block;
    return ST_OK;
}

static void shifted_release(Device *device, void *memory) {
    if (memory)
        plain_ops.release(device, ((void **)memory)[-1]);
}

/* One run of a row: thread's entry. */
typedef struct Job {
    const OpCase *row;
    const OpData *data;
    OpResult result;
    int threads; /* OpenMP's default in this thread */
    int shift;
    Status status;
    char message[STATUS_MESSAGE_MAX];
} Job;

static Status compute(Job *job) {
    Status status = ST_OK;
    OpRun run = {0};
    TRY_DONE(op_run_open(cpu, job->row, &run));
    TRY_DONE(op_run_forward(&run, job->data, &job->result));
    if (!job->row->evaluation)
        TRY_DONE(op_run_backward(&run, job->data, &job->result));
done:
    op_run_close(&run);
    return status;
}

static void *run_job(void *argument) {
    Job *job = argument;
    omp_set_num_threads(job->threads);
    shift = job->shift;
    job->status = compute(job);
    strncpy(job->message, status_message(), sizeof job->message - 1);
    return NULL;
}

static void compare(const OpCase *row, const char *what, const void *found, const void *expected,
                    int64_t count, size_t size) {
    if (expected && memcmp(found, expected, (size_t)count * size) != 0)
        fail_msg("%s: %s has other bits", row->name, what);
}

static void compare_results(const OpCase *row, const OpData *data, const OpResult *found,
                            const OpResult *expected) {
    compare(row, "output", found->out, expected->out, data->out_count, sizeof(double));
    compare(row, "loss", found->loss, expected->loss, data->batch, sizeof(double));
    compare(row, "predicted", found->predicted, expected->predicted, data->batch, sizeof(int32_t));
    for (int k = 0; k < LAYER_INPUTS_MAX; k++)
        compare(row, "grad input", found->grad_in[k], expected->grad_in[k], data->in_count[k],
                sizeof(double));
    for (int i = 0; i < LAYER_PARAMS_MAX; i++)
        compare(row, "grad parameter", found->grad_param[i], expected->grad_param[i],
                data->param_count[i], sizeof(double));
    for (int i = 0; i < LAYER_RUNNING_MAX; i++)
        compare(row, "statistics", found->stats[i], expected->stats[i], data->channels,
                sizeof(double));
}

static void check_row(const OpCase *row) {
    enum { JOBS = 3 }; /* alone, then two at once */
    static const Job settings[JOBS] = {{.threads = 1}, {.threads = 2, .shift = 5}, {.threads = 4}};
    OpData data;
    Job job[JOBS];
    pthread_t thread[JOBS];
    assert_int_equal(op_data_make(row, &data), ST_OK);
    for (int j = 0; j < JOBS; j++) {
        job[j] = settings[j];
        job[j].row = row;
        job[j].data = &data;
        assert_int_equal(op_result_make(&data, &job[j].result), ST_OK);
    }
    cpu->ops = &plain_ops;
    assert_int_equal(pthread_create(&thread[0], NULL, run_job, &job[0]), 0);
    pthread_join(thread[0], NULL);
    cpu->ops = &shifted_ops;
    for (int j = 1; j < JOBS; j++)
        assert_int_equal(pthread_create(&thread[j], NULL, run_job, &job[j]), 0);
    for (int j = 1; j < JOBS; j++)
        pthread_join(thread[j], NULL);
    for (int j = 0; j < JOBS; j++) {
        if (job[j].status != ST_OK)
            fail_msg("%s: %s", row->name, job[j].message);
        compare_results(row, &data, &job[j].result, &job[0].result);
    }
    for (int j = 0; j < JOBS; j++)
        op_result_free(&job[j].result);
    op_data_free(&data);
}

static void same_bits(void **state) {
    (void)state;
    for (int i = 0; i < op_table_count; i++)
        if (op_supported(cpu, &op_table[i]))
            check_row(&op_table[i]);
}

/* Enough work that oneDNN would share it out among threads, and add up partial sums of the weights'
 * gradient in another order. */
static void same_bits_of_real_sizes(void **state) {
    (void)state;
    static const OpCase rows[] = {
        {.name = "conv Winograd", .text = "conv c=128 k=3 p=1 bias", .in = {22, 128, 16, 16}},
        {.name = "conv large maps", .text = "conv c=64 k=3 p=1", .in = {32, 64, 32, 32}},
        {.name = "conv direct", .text = "conv c=128 k=3 s=2 p=1", .in = {64, 64, 32, 32}},
        {.name = "conv 5x5", .text = "conv c=16 k=5 bias", .in = {50, 64, 14, 14}},
        {.name = "conv of images",
         .text = "conv c=64 k=3 p=1",
         .in = {64, 3, 32, 32},
         .image = true},
        {.name = "conv of images, 5x5",
         .text = "conv c=64 k=5 bias",
         .in = {25, 3, 32, 32},
         .image = true,
         .relu = true},
        {.name = "conv of rows", .text = "conv c=257 k=1 bias", .in = {96, 384, 13, 5}},
        {.name = "conv groups", .text = "conv c=128 k=3 p=1 groups=4", .in = {32, 128, 16, 16}},
        {.name = "conv depthwise",
         .text = "conv c=128 k=3 p=1 groups=128",
         .in = {64, 128, 16, 16}},
        {.name = "bn", .text = "bn", .draw = DRAW_CHANNELS, .in = {64, 64, 32, 32}},
        {.name = "linear", .text = "linear c=1024", .in = {32, 128, 4, 4}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static int open_device(void **state) {
    (void)state;
    if (device_open_cpu(&options, &cpu) != ST_OK) {
        print_message("%s\n", status_message());
        return -1;
    }
    plain_ops = shifted_ops = *cpu->ops;
    shifted_ops.alloc = shifted_alloc;
    shifted_ops.release = shifted_release;
    return 0;
}

static int close_device(void **state) {
    (void)state;
    cpu->ops->close(cpu);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(same_bits_of_real_sizes),
    };
    int failures =
        cmocka_run_group_tests_name("bits of the cpu backend", tests, open_device, close_device);
    options.precision = PRECISION_BF16;
    if (device_open_cpu(&options, &cpu) != ST_OK) {
        printf("1..1\nok 1 - its bits in bf16 # SKIP %s\n", status_message());
        return failures;
    }
    cpu->ops->close(cpu);
    return failures +
           cmocka_run_group_tests_name("its bits in bf16", tests, open_device, close_device);
}
