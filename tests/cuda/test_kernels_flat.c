/* Kernels over ranges of the flat buffers, which hold gradients, sums, parameters and their state:
 * against the CPU backend, bit for bit. Runs on a GPU, or on a simulated one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "gpu_array.h"
#include "kernels.h"
#include "lockstep/device.h"
#include "lockstep/rng.h"

enum { FLAT = 3 * NORM_CHUNK + 77 };

static float value[FLAT], host_f[FLAT], found_f[FLAT];
static int64_t host_i[FLAT], found_i[FLAT];

/* Sizes from 2^-60 to 2^20, both signs, and what the exact sum refuses. */
static void fill_values(void) {
    for (int i = 0; i < FLAT; i++)
        value[i] = ldexpf((float)((i * 7919) % 2003 - 1001) / 1001, (i * 31) % 80 - 60);
    value[5] = NAN;
    value[6] = INFINITY;
    value[7] = 0x1p15f;
    value[8] = 0x1.fffffep14f;
    value[FLAT - 1] = -INFINITY;
}

static void fixed_is_the_cpus(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    int64_t bad = 3, found_bad;
    float *v = device_copy(value, sizeof value);
    int64_t *sum = device_unset(sizeof found_i), *count = device_copy(&bad, sizeof bad);
    for (int add = 0; add < 2; add++) {
        assert_int_equal(cpu->to_fixed(NULL, host_i, value, FLAT, 0x1p44, 0x1p15, add, &bad),
                         ST_OK);
        check_cuda(gpu_to_fixed(sum, v, FLAT, 0x1p44, 0x1p15, add, count, NULL));
        host_copy(found_i, sum, sizeof found_i);
        host_copy(&found_bad, count, sizeof bad);
        assert_memory_equal(found_i, host_i, sizeof host_i);
        assert_int_equal(found_bad, bad);
    }
    assert_true(bad > 3 + 2 * 4);
    void *all[] = {v, sum, count};
    for (int i = 0; i < 3; i++)
        check_cuda(cudaFree(all[i]));
}

/* A parameter a run of blocks, one of them across blocks of threads; the last one ends in
 * mid-block.
 */
static void shifted_is_the_cpus(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    enum { PARAMS = 4, BLOCKS = FLAT / SHIFT_BLOCK + 1 };
    static int32_t param[BLOCKS], host_low[FLAT], found_low[FLAT];
    const int8_t shift[PARAMS] = {0, 20, 7, 35};
    float peak[PARAMS] = {0, 0x1p-70f, 0x1p14f, 0}, found_peak[PARAMS];
    int64_t bad = 3, found_bad;
    for (int b = 0; b < BLOCKS; b++)
        param[b] = b < 1 ? 0 : b < 3 ? 1 : b < 300 ? 2 : 3;
    float *v = device_copy(value, sizeof value), *most = device_copy(peak, sizeof peak);
    int64_t *sum = device_unset(sizeof found_i), *count = device_copy(&bad, sizeof bad);
    int32_t *low = device_unset(sizeof found_low), *of = device_copy(param, sizeof param);
    int8_t *digits = device_copy(shift, sizeof shift);
    Shifts there = {of, digits}, here = {param, shift};
    for (int add = 0; add < 2; add++) {
        assert_int_equal(cpu->to_shifted(NULL, host_i, add ? host_low : NULL, value, FLAT, &here,
                                         0x1p44, 0x1p15, add, &bad, peak),
                         ST_OK);
        check_cuda(gpu_to_shifted(sum, add ? low : NULL, v, FLAT, &there, 0x1p44, 0x1p15, add,
                                  count, most, NULL));
        host_copy(found_i, sum, sizeof found_i);
        host_copy(&found_bad, count, sizeof bad);
        host_copy(found_peak, most, sizeof peak);
        assert_memory_equal(found_i, host_i, sizeof host_i);
        assert_memory_equal(found_peak, peak, sizeof peak);
        assert_int_equal(found_bad, bad);
    }
    assert_true(bad > 3 + 2 * 4 && peak[0] > 0);
    host_copy(found_low, low, sizeof found_low);
    assert_memory_equal(found_low, host_low, sizeof host_low);
    assert_int_equal(cpu->widen(NULL, host_i, host_low, FLAT, &here), ST_OK);
    check_cuda(gpu_widen(sum, low, FLAT, &there, NULL));
    host_copy(found_i, sum, sizeof found_i);
    assert_memory_equal(found_i, host_i, sizeof host_i);
    void *all[] = {v, most, sum, count, low, of, digits};
    for (int i = 0; i < 7; i++)
        check_cuda(cudaFree(all[i]));
}

static void real_is_the_cpus(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    float *v = device_copy(value, sizeof value), *sum = device_unset(sizeof value);
    for (int add = 0; add < 2; add++) {
        assert_int_equal(cpu->to_real(NULL, host_f, value, FLAT, add), ST_OK);
        check_cuda(gpu_to_real(sum, v, FLAT, add, NULL));
        host_copy(found_f, sum, sizeof found_f);
        for (int i = 0; i < FLAT; i++)
            assert_true(memcmp(&found_f[i], &host_f[i], 4) == 0 ||
                        (isnan(found_f[i]) && isnan(host_f[i])));
    }
    check_cuda(cudaFree(v));
    check_cuda(cudaFree(sum));
}

/* Sums of 1, 3 and as many terms as there can be, in one pass, are what the CPU comes to by adding
 * them one after another. The values of term t are those of the first from element 7 t on. */
static void sums_are_the_cpus(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    enum { COUNT = FLAT - 7 * TERMS_MAX, PARAMS = 4, BLOCKS = COUNT / SHIFT_BLOCK + 1 };
    static const int counts[] = {1, 3, TERMS_MAX};
    static int32_t param[BLOCKS], host_low[COUNT], found_low[COUNT];
    const int8_t shift[PARAMS] = {0, 20, 7, 35};
    float *terms[TERMS_MAX], *most[TERMS_MAX];
    int64_t *sum = device_unset(sizeof found_i), zero = 0;
    int32_t *low = device_unset(sizeof found_low);
    float *real = device_unset(sizeof found_f);
    for (int b = 0; b < BLOCKS; b++)
        param[b] = b < 1 ? 0 : b < 3 ? 1 : b < 300 ? 2 : 3;
    int32_t *of = device_copy(param, sizeof param);
    int8_t *digits = device_copy(shift, sizeof shift);
    Shifts there = {of, digits}, here = {param, shift};
    for (int t = 0; t < TERMS_MAX; t++)
        terms[t] = device_copy(value + 7 * t, COUNT * sizeof *value);
    for (int c = 0; c < 3; c++) {
        Terms all = {.n = counts[c]};
        float peak[TERMS_MAX][PARAMS] = {{0}}, found_peak[PARAMS];
        int64_t bad = 0, found_bad, *count = device_copy(&zero, sizeof zero);
        for (int t = 0; t < counts[c]; t++) {
            most[t] = device_copy(peak[t], sizeof peak[t]);
            all.value[t] = terms[t];
            all.peak[t] = most[t];
            assert_int_equal(
                cpu->to_fixed(NULL, host_i, value + 7 * t, COUNT, 0x1p44, 0x1p15, t > 0, &bad),
                ST_OK);
            assert_int_equal(cpu->to_real(NULL, host_f, value + 7 * t, COUNT, t > 0), ST_OK);
        }
        check_cuda(gpu_sum_fixed(sum, &all, COUNT, 0x1p44, 0x1p15, count, NULL));
        check_cuda(gpu_sum_real(real, &all, COUNT, NULL));
        host_copy(found_i, sum, COUNT * sizeof *found_i);
        host_copy(found_f, real, COUNT * sizeof *found_f);
        host_copy(&found_bad, count, sizeof found_bad);
        assert_memory_equal(found_i, host_i, COUNT * sizeof *host_i);
        assert_true(bad > 0);
        assert_int_equal(found_bad, bad);
        for (int i = 0; i < COUNT; i++)
            assert_true(memcmp(&found_f[i], &host_f[i], 4) == 0 ||
                        (isnan(found_f[i]) && isnan(host_f[i])));
        for (int t = 0; t < counts[c]; t++)
            assert_int_equal(cpu->to_shifted(NULL, host_i, t + 1 == counts[c] ? host_low : NULL,
                                             value + 7 * t, COUNT, &here, 0x1p44, 0x1p15, t > 0,
                                             &bad, peak[t]),
                             ST_OK);
        check_cuda(gpu_sum_shifted(sum, low, &all, COUNT, &there, 0x1p44, 0x1p15, count, NULL));
        host_copy(found_i, sum, COUNT * sizeof *found_i);
        host_copy(found_low, low, sizeof found_low);
        host_copy(&found_bad, count, sizeof found_bad);
        assert_memory_equal(found_i, host_i, COUNT * sizeof *host_i);
        assert_memory_equal(found_low, host_low, sizeof host_low);
        assert_int_equal(found_bad, bad);
        for (int t = 0; t < counts[c]; t++) {
            host_copy(found_peak, most[t], sizeof found_peak);
            assert_memory_equal(found_peak, peak[t], sizeof found_peak);
            assert_true(found_peak[2] > 0);
            check_cuda(cudaFree(most[t]));
        }
        check_cuda(cudaFree(count));
    }
    assert_int_equal(gpu_sum_real(real, &(Terms){.n = TERMS_MAX + 1}, COUNT, NULL),
                     cudaErrorInvalidValue);
    for (int t = 0; t < TERMS_MAX; t++)
        check_cuda(cudaFree(terms[t]));
    void *all[] = {sum, low, real, of, digits};
    for (int i = 0; i < 5; i++)
        check_cuda(cudaFree(all[i]));
}

/* Parameters in the forms that convolutions and products leave gradients in: [out][area][channels].
 */
static const struct {
    uint32_t out, channels, area;
    TermForm form;
} formed[] = {
    {70, 1, 1, {0}},               /* as it is */
    {3, 21, 9, {21, 9, DT_BF16}},  /* 567 elements, and a gap behind them */
    {8, 6, 4, {6, 4, DT_F32}},     /* 192 elements and none */
    {10, 33, 1, {33, 1, DT_BF16}}, /* a matrix: another type alone */
    {64, 3, 25, {3, 25, DT_BF16}},
};
enum { FORMED = sizeof formed / sizeof *formed, FORMED_ALIGN = 64 };

/* Puts term t: what `plain` has of parameter p, in its form, into `flat`. */
static void put_form(int p, int64_t begin, const float *plain, float *flat) {
    uint32_t channels = formed[p].channels, area = formed[p].area;
    for (uint32_t o = 0; o < formed[p].out; o++)
        for (uint32_t c = 0; c < channels; c++)
            for (uint32_t a = 0; a < area; a++) {
                float x = plain[(o * channels + c) * area + a];
                uint32_t to = (o * area + a) * channels + c;
                if (formed[p].form.type == DT_BF16 && formed[p].form.area > 0)
                    memcpy((char *)(flat + begin) + 2 * to, (char *)&x + 2, 2);
                else
                    flat[begin + to] = x;
            }
}

/* Sums of terms in other forms are those of the same values as they are, from any block on; gaps
 * are zeros, whatever a term has there. */
static void sums_of_forms_are_those_of_plain_terms(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    enum { TERMS = 3, MOST = 8192 };
    static float plain[TERMS][MOST], flat[TERMS][MOST];
    static int32_t param_of[MOST / SHIFT_BLOCK];
    TermParam param[FORMED];
    Terms all = {.n = TERMS};
    int64_t count = 0, bad = 0, zero = 0;
    memset(flat, 0x7f, sizeof flat); /* neither zeros nor small */
    for (int p = 0; p < FORMED; p++) {
        int64_t begin = count, n = (int64_t)formed[p].out * formed[p].channels * formed[p].area;
        count += (n + FORMED_ALIGN - 1) / FORMED_ALIGN * FORMED_ALIGN;
        assert_true(count <= MOST);
        for (int64_t b = begin / SHIFT_BLOCK; b < count / SHIFT_BLOCK; b++)
            param_of[b] = p;
        param[p] = (TermParam){begin, (uint32_t)n, (uint32_t)formed[p].form.channels,
                               (uint32_t)formed[p].form.area, formed[p].form.type == DT_BF16};
        for (int t = 0; t < TERMS; t++) {
            for (int64_t i = 0; i < n; i++) /* eight bits and a sign: bfloat16 has them */
                plain[t][begin + i] = (float)((i * 7 + 31 * t + p) % 255 - 127) * 0x1p-9f;
            if (formed[p].form.area == 0)
                memcpy(flat[t] + begin, plain[t] + begin, (size_t)(count - begin) * sizeof **flat);
            else
                put_form(p, begin, plain[t] + begin, flat[t]);
        }
    }
    const int8_t shift[FORMED] = {0, 20, 7, 12, 3};
    int32_t *of = device_copy(param_of, sizeof param_of), *low = device_unset(sizeof found_i);
    int64_t *sum = device_unset(sizeof found_i), *bads = device_copy(&zero, sizeof zero), no_bad;
    float *real = device_unset(sizeof found_f), peak[FORMED], *most[TERMS];
    int8_t *digits = device_copy(shift, sizeof shift);
    TermParam *params = device_copy(param, sizeof param);
    all.param = params;
    for (int t = 0; t < TERMS; t++)
        all.value[t] = device_copy(flat[t], sizeof flat[t]);
    for (int64_t begin = 0; begin < count; begin += 37 * SHIFT_BLOCK) {
        int64_t n = count - begin;
        Shifts here = {param_of + begin / SHIFT_BLOCK, shift},
               there = {of + begin / SHIFT_BLOCK, digits};
        all.begin = begin;
        all.param_of = there.param;
        for (int t = 0; t < TERMS; t++) {
            assert_int_equal(
                cpu->to_fixed(NULL, host_i, plain[t] + begin, n, 0x1p44, 0x1p15, t > 0, &bad),
                ST_OK);
            assert_int_equal(cpu->to_real(NULL, host_f, plain[t] + begin, n, t > 0), ST_OK);
        }
        check_cuda(gpu_sum_fixed(sum, &all, n, 0x1p44, 0x1p15, bads, NULL));
        check_cuda(gpu_sum_real(real, &all, n, NULL));
        host_copy(found_i, sum, (size_t)n * sizeof *found_i);
        host_copy(found_f, real, (size_t)n * sizeof *found_f);
        assert_memory_equal(found_i, host_i, (size_t)n * sizeof *host_i);
        assert_memory_equal(found_f, host_f, (size_t)n * sizeof *host_f);
        for (int t = 0; t < TERMS; t++) {
            memset(peak, 0, sizeof peak);
            all.peak[t] = most[t] = device_copy(peak, sizeof peak);
            assert_int_equal(cpu->to_shifted(NULL, host_i, NULL, plain[t] + begin, n, &here, 0x1p44,
                                             0x1p15, t > 0, &bad, peak),
                             ST_OK);
        }
        check_cuda(gpu_sum_shifted(sum, low, &all, n, &there, 0x1p44, 0x1p15, bads, NULL));
        host_copy(found_i, sum, (size_t)n * sizeof *found_i);
        assert_memory_equal(found_i, host_i, (size_t)n * sizeof *host_i);
        float found_peak[FORMED];
        host_copy(found_peak, most[TERMS - 1], sizeof found_peak);
        assert_memory_equal(found_peak, peak, sizeof peak);
        for (int t = 0; t < TERMS; t++)
            check_cuda(cudaFree(most[t]));
    }
    host_copy(&no_bad, bads, sizeof no_bad);
    assert_int_equal(no_bad + bad, 0);
    for (int t = 0; t < TERMS; t++)
        check_cuda(cudaFree((void *)(uintptr_t)all.value[t]));
    void *arrays[] = {sum, low, real, of, digits, bads, params};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        check_cuda(cudaFree(arrays[i]));
}

static void norms_are_the_cpus(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    double want[4], found[4];
    for (int i = 0; i < FLAT; i++) {
        host_i[i] = (int64_t)((uint64_t)(i + 1) * UINT64_C(0x9E3779B97F4A7C15)) >> (i % 40);
        host_f[i] = i < 9 || i == FLAT - 1 ? 1 : value[i];
    }
    float *real = device_copy(host_f, sizeof host_f);
    int64_t *fixed = device_copy(host_i, sizeof host_i);
    double *partial = device_unset(sizeof found);
    for (int kind = 0; kind < 2; kind++) {
        assert_int_equal(
            cpu->norm(NULL, want, kind ? host_i : NULL, kind ? NULL : host_f, FLAT, 0x1.3p-40),
            ST_OK);
        check_cuda(
            gpu_norm(partial, kind ? fixed : NULL, kind ? NULL : real, FLAT, 0x1.3p-40, NULL));
        host_copy(found, partial, sizeof found);
        assert_memory_equal(found, want, sizeof found);
    }
    void *all[] = {real, fixed, partial};
    for (int i = 0; i < 3; i++)
        check_cuda(cudaFree(all[i]));
}

/* Of one element, of whole and broken blocks, of more than the threads there are; then one bit
 * flipped, and two elements exchanged. */
static void digests_are_the_refs(void **state) {
    (void)state;
    enum { LARGE = 270001 };
    static const int64_t counts[] = {LARGE, 1, 255, 256, 257};
    static uint32_t bits[LARGE];
    Device *ref;
    Digest want = {0}, found, *sums = device_unset(sizeof found);
    assert_int_equal(device_open_ref(&(DeviceOptions){0}, &ref), ST_OK);
    for (uint32_t i = 0; i < LARGE; i++)
        bits[i] = rng_block(rng_key(3, RNG_SYNTHETIC), i, 0, 0, 0).word[0];
    /* Infinite, both ways, and NaN: bad in every count but that of one element. */
    static const uint32_t bad[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xff800001u};
    memcpy(bits + 3, bad, sizeof bad);
    for (int variant = 0; variant < 3; variant++) {
        uint64_t before = want.hash; /* of 257 elements */
        bits[200] ^= variant == 1 ? 1u << 17 : 0;
        uint32_t other = bits[100];
        bits[100] = variant == 2 ? bits[200] : other;
        bits[200] = variant == 2 ? other : bits[200];
        uint32_t *values = device_copy(bits, sizeof bits);
        for (int c = variant == 0 ? 0 : 1; c < 5; c++) {
            assert_int_equal(ref->ops->digest(NULL, &want, bits, counts[c]), ST_OK);
            check_cuda(gpu_digest(sums, (const float *)values, counts[c], NULL));
            host_copy(&found, sums, sizeof found);
            assert_true(found.hash == want.hash && found.bad == want.bad);
            int64_t exponents = 0; /* all ones, by IEEE 754 */
            for (int64_t i = 0; i < counts[c]; i++)
                exponents += (bits[i] >> 23 & 0xffu) == 0xffu;
            assert_int_equal(found.bad, exponents);
        }
        assert_true(variant == 0 || want.hash != before);
        check_cuda(cudaFree(values));
    }
    check_cuda(cudaFree(sums));
    ref->ops->close(ref);
}

/* Weight, slots, average; then the gradient, both ways. */
enum { AVERAGE = 1 + UPDATE_SLOTS, VECTORS };
static float state_of[VECTORS][FLAT], state_found[FLAT];

static void update_once(const DeviceOps *cpu, const Update *update, int slots, bool ema,
                        bool exact) {
    UpdateRange host = {.count = FLAT, .weight = state_of[0], .decay = 0.01}, device = host;
    float *copies[VECTORS];
    for (int s = 0; s < VECTORS; s++) {
        for (int i = 0; i < FLAT; i++)
            state_of[s][i] = fabsf(sinf((float)(i * (s + 3)))) - (s == 0 ? 0.5f : 0);
        copies[s] = device_copy(state_of[s], sizeof state_of[s]);
    }
    float *real = device_copy(host_f, sizeof host_f);
    int64_t *fixed = device_copy(host_i, sizeof host_i);
    device.weight = copies[0];
    for (int s = 0; s < UPDATE_SLOTS; s++) {
        host.slot[s] = slots >> s & 1 ? state_of[1 + s] : NULL;
        device.slot[s] = slots >> s & 1 ? copies[1 + s] : NULL;
    }
    host.ema = ema ? state_of[AVERAGE] : NULL;
    device.ema = ema ? copies[AVERAGE] : NULL;
    host.fixed = exact ? host_i : NULL;
    device.fixed = exact ? fixed : NULL;
    host.real = exact ? NULL : host_f;
    device.real = exact ? NULL : real;
    assert_int_equal(cpu->update(NULL, update, &host), ST_OK);
    check_cuda(gpu_update(update, &device, NULL));
    for (int s = 0; s < VECTORS; s++) {
        host_copy(state_found, copies[s], sizeof state_found);
        assert_memory_equal(state_found, state_of[s], sizeof state_found);
        check_cuda(cudaFree(copies[s]));
    }
    check_cuda(cudaFree(real));
    check_cuda(cudaFree(fixed));
}

static void updates_are_the_cpus(void **state) {
    const DeviceOps *cpu = ((Device *)*state)->ops;
    Update update = {.lr = 0.1,
                     .momentum = 0.9,
                     .beta1 = 0.9,
                     .beta2 = 0.999,
                     .alpha = 0.9,
                     .eps = 1e-8,
                     .correction1 = 0.1,
                     .correction2 = 0.001,
                     .ema_decay = 0.99,
                     .grad_scale = 0x1p-44};
    for (int i = 0; i < FLAT; i++) {
        host_i[i] = (int64_t)((uint64_t)(i + 1) * UINT64_C(0x9E3779B97F4A7C15)) >> (16 + i % 30);
        host_f[i] = 0x1p40f * sinf((float)i);
    }
    /* Slots as bits; without momentum none of it. */
    static const struct {
        OptimizerKind kind;
        int slots[2];
    } rules[] = {{OPTIMIZER_SGD, {0, 1}},    {OPTIMIZER_ADAM, {3, 3}}, {OPTIMIZER_ADAMW, {3, 3}},
                 {OPTIMIZER_LARS, {0, 1}},   {OPTIMIZER_LAMB, {3, 3}}, {OPTIMIZER_RMSPROP, {2, 3}},
                 {OPTIMIZER_RMSPROP, {6, 7}}};
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++)
        for (int v = 0; v < 4; v++) {
            update.kind = rules[r].kind;
            update.nesterov = v % 2;
            update.first = v / 2;
            update.centered = rules[r].slots[v / 2] >> 2;
            update_once(cpu, &update, rules[r].slots[v / 2], (int)(r + (size_t)v) % 2, v % 2);
        }
}

static int open_cpu(void **state) {
    fill_values();
    return device_open_cpu(&(DeviceOptions){0}, (Device **)state) != ST_OK;
}

static int close_cpu(void **state) {
    Device *device = *state;
    device->ops->close(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_is_the_cpus),
        cmocka_unit_test(shifted_is_the_cpus),
        cmocka_unit_test(real_is_the_cpus),
        cmocka_unit_test(norms_are_the_cpus),
        cmocka_unit_test(sums_are_the_cpus),
        cmocka_unit_test(digests_are_the_refs),
        cmocka_unit_test(updates_are_the_cpus),
        cmocka_unit_test(sums_of_forms_are_those_of_plain_terms),
    };
    if (skip_without_gpu())
        return 0;
    return cmocka_run_group_tests(tests, open_cpu, close_cpu);
}
