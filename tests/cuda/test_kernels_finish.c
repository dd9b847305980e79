/* Kernels that end a step without the host: verdict, norm and running statistics against plain
 * arithmetic, updates against the CPU backend, bit for bit. Runs on a GPU, or on a simulated one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "gpu_array.h"
#include "kernels.h"
#include "lockstep/device.h"

enum { WORDS = 6, FLAT = 3 * NORM_CHUNK + 4 * FINISH_BLOCK, RANGES = 4 };

/* Losses in units of 2^-24, below 2^14; weights in 1 / 8192. */
static const FinishWords words = {.bad = {4, 3},
                                  .loss = 1,
                                  .images = 2,
                                  .weight = 5,
                                  .loss_unit = 0x1p-24,
                                  .loss_bound = 0x1p14,
                                  .weight_one = 8192};

static FinishVerdict judged(int64_t bad, int64_t kept, double loss, double weight, bool weighted) {
    const int64_t word[WORDS] = {-1,  (int64_t)(loss * 0x1p24),         10, kept,
                                 bad, (int64_t)(weight * 8192 * 0x1p24)};
    FinishWords all = words;
    FinishVerdict found;
    int64_t *device_word = device_copy(word, sizeof word);
    FinishVerdict *verdict = device_unset(sizeof *verdict);
    all.weighted = weighted;
    check_cuda(gpu_finish_judge(verdict, device_word, &all, 0x1p-44, NULL));
    host_copy(&found, verdict, sizeof found);
    check_cuda(cudaFree(device_word));
    check_cuda(cudaFree(verdict));
    return found;
}

static void bad_sums_are_seen(void **state) {
    (void)state;
    FinishVerdict found = judged(0, 0, 3, 0, false);
    assert_true(found.good == 1 && found.unit == 0x1p-44 && found.grad_scale == 0x1p-44);
    assert_int_equal(judged(1, 0, 3, 0, false).good, 0);
    assert_int_equal(judged(0, 1, 3, 0, false).good, 0);
    /* of 10 images of weight 5 in all, the mean loss is twice that over images */
    found = judged(0, 0, 3, 5, true);
    assert_true(found.good == 1 && found.unit == 0x1p-43 && found.grad_scale == 0x1p-43);
    assert_int_equal(judged(0, 0, 8191, 5, true).good, 1);
    assert_int_equal(judged(0, 0, 8192, 5, true).good, 0);
    assert_int_equal(judged(0, 0, 8192, 0, true).good, 0);
    assert_int_equal(judged(2, 0, 3, 5, true).good, 0);
}

static int64_t sum[FLAT];

static void fill_sum(void) {
    for (int i = 0; i < FLAT; i++)
        sum[i] = (int64_t)((uint64_t)(i + 1) * UINT64_C(0x9E3779B97F4A7C15)) >> (16 + i % 30);
}

/* A norm of two stretches, in order; above and below where it is clipped. */
static void norms_are_clipped(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    const int64_t skipped = 2 * FINISH_BLOCK, left = FLAT - skipped;
    double partial[5] = {0}, squares = 0;
    fill_sum();
    assert_int_equal(cpu->norm(NULL, partial, sum, NULL, FINISH_BLOCK, 0x1p-40), ST_OK);
    assert_int_equal(cpu->norm(NULL, partial + 1, sum + skipped, NULL, left, 0x1p-40), ST_OK);
    for (int c = 0; c < 5; c++)
        squares += partial[c];
    for (int above = 0; above < 2; above++) {
        double norm = sqrt(squares), clip = above ? norm / 3 : 2 * norm;
        FinishVerdict found = {.unit = 0x1p-40, .grad_scale = 0x1p-40, .good = 1};
        FinishVerdict *verdict = device_copy(&found, sizeof found);
        int64_t *fixed = device_copy(sum, sizeof sum);
        double *parts = device_unset(sizeof partial);
        check_cuda(gpu_finish_norm(parts, fixed, NULL, FINISH_BLOCK, verdict, NULL));
        check_cuda(gpu_finish_norm(parts + 1, fixed + skipped, NULL, left, verdict, NULL));
        check_cuda(gpu_finish_clip(verdict, parts, 5, clip, NULL));
        host_copy(&found, verdict, sizeof found);
        assert_true(found.norm == norm && found.unit == 0x1p-40 && found.good == 1);
        assert_true(found.grad_scale == (above ? 0x1p-40 * (clip / norm) : 0x1p-40));
        void *all[] = {verdict, fixed, parts};
        for (int i = 0; i < 3; i++)
            check_cuda(cudaFree(all[i]));
    }
}

/* weight, slots, moving average, slow weights */
enum { SLOT = 1, AVERAGE = SLOT + UPDATE_SLOTS, SLOW = AVERAGE + 1, VECTORS = SLOW + 1 };

static float start[VECTORS][FLAT], want[VECTORS][FLAT], found[VECTORS][FLAT];

static const int64_t begins[RANGES + 1] = {0, FINISH_BLOCK, 2 * FINISH_BLOCK, 5000 / 16 * 16, FLAT};

/* SGD, one that is left alone, Adam that goes back, and one that is frozen. */
static FinishTurn turn_of(int r) {
    Update update = {.lr = 0.1,
                     .momentum = 0.9,
                     .beta1 = 0.9,
                     .beta2 = 0.999,
                     .eps = 1e-8,
                     .correction1 = 0.1,
                     .correction2 = 0.001,
                     .ema_decay = 0.99,
                     .grad_scale = 0x1p-44};
    static const OptimizerKind kinds[RANGES] = {OPTIMIZER_SGD, OPTIMIZER_SGD, OPTIMIZER_ADAM,
                                                OPTIMIZER_NONE};
    static const unsigned slots[RANGES] = {1, 1, 3, 0};
    update.kind = kinds[r];
    return (FinishTurn){.update = update, .slots = slots[r], .idle = r == 1, .goes_back = r == 2};
}

static void as_the_cpu(const DeviceOps *cpu) {
    memcpy(want, start, sizeof want);
    for (int r = 0; r < RANGES; r++) {
        FinishTurn turn = turn_of(r);
        int64_t from = begins[r], count = begins[r + 1] - from;
        UpdateRange range = {.count = count,
                             .weight = want[0] + from,
                             .fixed = sum + from,
                             .ema = want[AVERAGE] + from,
                             .decay = 0.01 * r};
        for (int s = 0; s < UPDATE_SLOTS; s++)
            range.slot[s] = turn.slots >> s & 1 ? want[SLOT + s] + from : NULL;
        if (!turn.idle)
            assert_int_equal(cpu->update(NULL, &turn.update, &range), ST_OK);
        if (turn.goes_back)
            assert_int_equal(cpu->lookahead(NULL, want[SLOW] + from, want[0] + from, count, 0.25),
                             ST_OK);
    }
}

static void run_update(int64_t good) {
    FinishVerdict verdict = {.grad_scale = 0x1p-44, .good = good};
    FinishTerms terms[RANGES];
    int32_t range_of[FLAT / FINISH_BLOCK];
    void *vector[VECTORS];
    for (int r = 0; r < RANGES; r++) {
        FinishTurn turn = turn_of(r);
        terms[r] = (FinishTerms){.terms = update_terms(&turn.update, 0.01 * r),
                                 .kind = (int32_t)turn.update.kind,
                                 .slots = turn.slots,
                                 .idle = turn.idle,
                                 .goes_back = turn.goes_back,
                                 .alpha = 0.25f};
        for (int64_t i = begins[r]; i < begins[r + 1]; i += FINISH_BLOCK)
            range_of[i / FINISH_BLOCK] = r;
    }
    for (int v = 0; v < VECTORS; v++)
        vector[v] = device_copy(start[v], sizeof start[v]);
    void *all[] = {device_copy(&verdict, sizeof verdict), device_copy(terms, sizeof terms),
                   device_copy(range_of, sizeof range_of), device_copy(sum, sizeof sum)};
    FinishArrays arrays = {.count = FLAT,
                           .verdict = all[0],
                           .terms = all[1],
                           .range = all[2],
                           .fixed = all[3],
                           .weight = vector[0],
                           .slot = {vector[SLOT], vector[SLOT + 1], vector[SLOT + 2]},
                           .ema = vector[AVERAGE],
                           .slow = vector[SLOW]};
    check_cuda(gpu_finish_update(&arrays, NULL));
    for (int v = 0; v < VECTORS; v++) {
        host_copy(found[v], vector[v], sizeof found[v]);
        check_cuda(cudaFree(vector[v]));
    }
    for (int i = 0; i < 4; i++)
        check_cuda(cudaFree(all[i]));
}

static void ranges_are_updated_as_the_cpu_does(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    fill_sum();
    for (int v = 0; v < VECTORS; v++)
        for (int i = 0; i < FLAT; i++)
            start[v][i] = fabsf(sinf((float)(i * (v + 3)))) - (v == 0 ? 0.5f : 0);
    as_the_cpu(cpu);
    run_update(1);
    for (int v = 0; v < VECTORS; v++)
        assert_memory_equal(found[v], want[v], sizeof found[v]);
    assert_memory_not_equal(want[SLOW], start[SLOW], sizeof want[SLOW]);
    run_update(0);
    for (int v = 0; v < VECTORS; v++)
        assert_memory_equal(found[v], start[v], sizeof found[v]);
}

static void running_statistics_follow(void **state) {
    (void)state;
    const float value[3] = {1, -2, 0.5f};
    const double momentum[3] = {0.1, 0.25, 0};
    const int64_t sums[3] = {3 << 10, -(5 << 10), 7 << 10};
    for (int good = 0; good < 2; good++) {
        FinishVerdict verdict = {.good = good};
        float now[3];
        void *all[] = {device_copy(value, sizeof value), device_copy(sums, sizeof sums),
                       device_copy(momentum, sizeof momentum),
                       device_copy(&verdict, sizeof verdict)};
        check_cuda(gpu_finish_running(all[0], all[1], all[2], 3, 0x1p-10, all[3], NULL));
        host_copy(now, all[0], sizeof now);
        assert_true(now[0] == (good ? (float)(0.9 * 1 + 0.1 * 3) : 1));
        assert_true(now[1] == (good ? -2.75f : -2));
        assert_true(now[2] == 0.5f);
        for (int i = 0; i < 4; i++)
            check_cuda(cudaFree(all[i]));
    }
}

static int open_cpu(void **state) {
    return device_open_cpu(&(DeviceOptions){0}, (Device **)state) != ST_OK;
}

static int close_cpu(void **state) {
    Device *device = *state;
    device->ops->close(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_sums_are_seen),
        cmocka_unit_test(norms_are_clipped),
        cmocka_unit_test(ranges_are_updated_as_the_cpu_does),
        cmocka_unit_test(running_statistics_follow),
    };
    if (skip_without_gpu())
        return 0;
    return cmocka_run_group_tests(tests, open_cpu, close_cpu);
}
