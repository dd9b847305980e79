/* The cpu backend's work on flat ranges, and its copies, against the reference backend in float:
 * fixed point, native sums and updates bit for bit, norms to rounding; each also against what the
 * contract in device.h says where that is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/device.h"
#include "lockstep/rng.h"
#include "tolerance.h"

enum { COUNT_MAX = 10007 };

/* Around vector widths, around chunks, and large. */
static const int64_t counts[] = {1, 15, 16, 33, 4095, 4096, 4097, COUNT_MAX};
enum { COUNTS = sizeof counts / sizeof counts[0] };

/* A device with a stream and scratch vectors. */
typedef struct Side {
    Device *device;
    Stream *stream;
    void *value, *weight, *slot[UPDATE_SLOTS], *ema, *fixed, *bad, *partial;
} Side;

static Side sides[2]; /* ref, cpu */

static void check(Status status) {
    if (status != ST_OK)
        fail_msg("%s", status_message());
}

static void put(Side *side, void *to, const void *from, size_t bytes) {
    check(side->device->ops->upload(side->stream, to, from, bytes));
}

static void get(Side *side, void *to, const void *from, size_t bytes) {
    check(side->device->ops->download(side->stream, to, from, bytes));
    check(side->device->ops->sync(side->stream, 60));
}

/* Uniform floats in [low, high). */
static void draw(uint32_t stream, int64_t count, float low, float high, float *to) {
    RngKey key = rng_key(5, RNG_SYNTHETIC);
    for (int64_t i = 0; i < count; i++)
        to[i] = low + (high - low) * rng_unit(rng_block(key, (uint32_t)i, stream, 0, 0).word[0]);
}

static void fixed_rounds_and_counts(void **state) {
    (void)state;
    static float value[COUNT_MAX];
    static int64_t expected[COUNT_MAX], found[COUNT_MAX];
    const double scale = 0x1p44, bound = 0x1p15;
    draw(1, COUNT_MAX, -3, 3, value);
    const float special[] = {NAN,        INFINITY,       -INFINITY,   0x1p15f,
                             -0x1p15f,   0x1.fffffep14f, 0x1p-45f,    0x1.8p-44f,
                             0x1.4p-43f, -0x1p-45f,      -0x1.8p-44f, 0};
    /* by hand: five bad ones, the largest that fits, then halves to even: .5, 1.5, 2.5 units ... */
    const int64_t by_hand[] = {0, 0, 0, 0, 0, INT64_C(0xffffff) << 35, 0, 2, 2, 0, -2, 0};
    memcpy(value, special, sizeof special);
    for (int c = 0; c < COUNTS; c++)
        for (int add = 0; add < 2; add++) {
            int64_t bad[2];
            for (int s = 0; s < 2; s++) {
                int64_t one = 1000;
                for (int64_t i = 0; i < counts[c]; i++)
                    found[i] = 7 * i;
                put(&sides[s], sides[s].value, value, sizeof value);
                put(&sides[s], sides[s].fixed, found, sizeof found);
                put(&sides[s], sides[s].bad, &one, sizeof one);
                check(sides[s].device->ops->to_fixed(sides[s].stream, sides[s].fixed,
                                                     sides[s].value, counts[c], scale, bound,
                                                     add != 0, sides[s].bad));
                get(&sides[s], s == 0 ? expected : found, sides[s].fixed, sizeof found);
                get(&sides[s], &bad[s], sides[s].bad, sizeof bad[s]);
            }
            assert_memory_equal(found, expected, (size_t)counts[c] * sizeof *found);
            assert_int_equal(bad[0], counts[c] < 5 ? 1001 : 1005);
            assert_int_equal(bad[1], bad[0]);
            for (int64_t i = 0; i < 12 && i < counts[c]; i++)
                assert_int_equal(expected[i], by_hand[i] + (add ? 7 * i : 0));
        }
}

/* Three parameters, of different shifts, in runs of blocks; by formula, both backends. */
static void shifted_rounds_on_a_grid_a_parameter(void **state) {
    (void)state;
    static float value[COUNT_MAX];
    static int64_t sum[COUNT_MAX], back[COUNT_MAX];
    static int32_t low[COUNT_MAX], param[COUNT_MAX / SHIFT_BLOCK + 1];
    const int8_t shift[3] = {0, 17, 35};
    const double scale = 0x1p44, bound = 0x1p15;
    draw(21, COUNT_MAX, -3, 3, value);
    for (int i = 0; i < COUNT_MAX; i += 7)
        value[i] = ldexpf(value[i], -(i % 40));
    value[20] = NAN;
    value[21] = -INFINITY;
    value[22] = 0x1p15f;
    value[23] = -0x1.fffffep14f;
    for (int b = 0; b < COUNT_MAX / SHIFT_BLOCK + 1; b++)
        param[b] = b < 1 ? 0 : b < 40 ? 1 : 2;
    for (int c = 0; c < COUNTS; c++)
        for (int choice = 0; choice < 4; choice++)
            for (int s = 0; s < 2; s++) {
                Side *side = &sides[s];
                const DeviceOps *ops = side->device->ops;
                bool add = choice & 1, narrows = choice & 2;
                int64_t bad = 1000;
                float peak[3] = {0.5f, 0, 0}, most[3] = {0.5f, 0, 0};
                for (int64_t i = 0; i < COUNT_MAX; i++)
                    sum[i] = (7 * i - 9) * (1 << shift[0]) * 64;
                for (int64_t i = 0; i < COUNT_MAX; i++)
                    sum[i] *= INT64_C(1) << shift[param[i / SHIFT_BLOCK]];
                memset(low, 0x55, sizeof low);
                put(side, side->value, value, sizeof value);
                put(side, side->fixed, sum, sizeof sum);
                put(side, side->bad, &bad, sizeof bad);
                put(side, side->slot[0], low, sizeof low);
                put(side, side->slot[1], param, sizeof param);
                put(side, side->ema, shift, sizeof shift);
                put(side, side->partial, peak, sizeof peak);
                Shifts shifts = {.param = side->slot[1], .shift = side->ema};
                check(ops->to_shifted(side->stream, side->fixed, narrows ? side->slot[0] : NULL,
                                      side->value, counts[c], &shifts, scale, bound, add, side->bad,
                                      side->partial));
                get(side, sum, side->fixed, sizeof sum);
                get(side, low, side->slot[0], sizeof low);
                get(side, &bad, side->bad, sizeof bad);
                get(side, peak, side->partial, sizeof peak);
                int64_t refused = 0;
                for (int64_t i = 0; i < COUNT_MAX; i++) {
                    int p = param[i / SHIFT_BLOCK];
                    double unit = ldexp(1, shift[p]), x = (double)value[i];
                    int64_t before = (7 * i - 9) * 64;
                    bool inside = i < counts[c], good = isfinite(x) && fabs(x) < bound;
                    int64_t units = good ? llrint(x * scale / unit) : 0;
                    int64_t want = !inside ? before : add ? before + units : units;
                    refused += inside && !good;
                    if (inside && good && fabsf(value[i]) > most[p])
                        most[p] = fabsf(value[i]);
                    assert_true(sum[i] == want * (INT64_C(1) << shift[p]));
                    assert_int_equal(low[i],
                                     inside && narrows ? (int32_t)(uint32_t)want : 0x55555555);
                }
                assert_int_equal(bad, 1000 + refused);
                assert_memory_equal(peak, most, sizeof most);
                for (int64_t i = 0; i < COUNT_MAX; i++)
                    low[i] = (int32_t)((uint32_t)(i + 1) * 2654435761u);
                put(side, side->slot[0], low, sizeof low);
                check(ops->widen(side->stream, side->fixed, side->slot[0], counts[c], &shifts));
                get(side, back, side->fixed, sizeof back);
                for (int64_t i = 0; i < COUNT_MAX; i++)
                    assert_true(back[i] ==
                                (i < counts[c]
                                     ? low[i] * (INT64_C(1) << shift[param[i / SHIFT_BLOCK]])
                                     : sum[i]));
            }
}

static void native_sums(void **state) {
    (void)state;
    static float value[COUNT_MAX], before[COUNT_MAX], found[COUNT_MAX];
    draw(2, COUNT_MAX, -3, 3, value);
    draw(3, COUNT_MAX, -3, 3, before);
    for (int c = 0; c < COUNTS; c++)
        for (int add = 0; add < 2; add++)
            for (int s = 0; s < 2; s++) {
                put(&sides[s], sides[s].value, value, sizeof value);
                put(&sides[s], sides[s].weight, before, sizeof before);
                check(sides[s].device->ops->to_real(sides[s].stream, sides[s].weight,
                                                    sides[s].value, counts[c], add != 0));
                get(&sides[s], found, sides[s].weight, sizeof found);
                for (int64_t i = 0; i < COUNT_MAX; i++) {
                    float sum = add ? before[i] + value[i] : value[i];
                    assert_true(found[i] == (i < counts[c] ? sum : before[i]));
                }
            }
}

static void partial_norms(void **state) {
    (void)state;
    static float value[COUNT_MAX];
    static int64_t fixed[COUNT_MAX];
    draw(4, COUNT_MAX, -3, 3, value);
    for (int64_t i = 0; i < COUNT_MAX; i++)
        fixed[i] = (int64_t)((double)value[i] * 0x1p40);
    for (int c = 0; c < COUNTS; c++)
        for (int exact = 0; exact < 2; exact++) {
            double scale = exact ? 0x1p-40 : 0.5, partial[2][3];
            for (int s = 0; s < 2; s++) {
                put(&sides[s], sides[s].value, value, sizeof value);
                put(&sides[s], sides[s].fixed, fixed, sizeof fixed);
                check(sides[s].device->ops->norm(sides[s].stream, sides[s].partial,
                                                 exact ? sides[s].fixed : NULL,
                                                 exact ? NULL : sides[s].value, counts[c], scale));
                get(&sides[s], partial[s], sides[s].partial, sizeof partial[s]);
            }
            int64_t chunks = (counts[c] + NORM_CHUNK - 1) / NORM_CHUNK;
            for (int64_t k = 0; k < chunks; k++) {
                double sum = 0;
                for (int64_t i = k * NORM_CHUNK; i < counts[c] && i < (k + 1) * NORM_CHUNK; i++)
                    sum += pow((exact ? (double)fixed[i] : (double)value[i]) * scale, 2);
                for (int s = 0; s < 2; s++)
                    assert_true(fabs(partial[s][k] - sum) <= TOL_NORM * sum);
            }
        }
}

/* The cpu leaves it to the host. The numbers are those of a program of its own that follows
 * digest.h. */
static void digests_show_any_bit(void **state) {
    (void)state;
    const DeviceOps *ops = sides[0].device->ops;
    float value[1000];
    Digest whole, changed, part;
    assert_null(sides[1].device->ops->digest);
    for (int i = 0; i < 1000; i++)
        value[i] = (float)(i - 500) / 8;
    check(ops->digest(sides[0].stream, &part, value, 1));
    check(ops->digest(sides[0].stream, &whole, value, 1000));
    assert_true(part.hash == UINT64_C(0x2077323217799e51) && part.bad == 0);
    assert_true(whole.hash == UINT64_C(0x50425448262585ec) && whole.bad == 0);
    for (int i = 0; i < 1000; i += 37)
        for (int bit = 0; bit < 32; bit++) {
            uint32_t bits;
            memcpy(&bits, &value[i], sizeof bits);
            bits ^= 1u << bit;
            float kept = value[i];
            memcpy(&value[i], &bits, sizeof bits);
            check(ops->digest(sides[0].stream, &changed, value, 1000));
            assert_true(changed.hash != whole.hash);
            value[i] = kept;
        }
    float first = value[0];
    value[0] = value[999];
    value[999] = first;
    check(ops->digest(sides[0].stream, &changed, value, 1000));
    assert_true(changed.hash != whole.hash);
    value[3] = NAN;
    value[4] = INFINITY;
    value[5] = -INFINITY;
    check(ops->digest(sides[0].stream, &changed, value, 1000));
    assert_int_equal(changed.bad, 3);
}

/* Starts both sides from the same weights, with `slots` (bits) at zero, does three steps, compares
 * all bits. */
static void update_case(Update update, double decay, bool exact, int slots, bool ema,
                        int64_t count) {
    enum { VECTORS = 2 + UPDATE_SLOTS };
    static float start[VECTORS][COUNT_MAX], found[VECTORS][COUNT_MAX], expected[VECTORS][COUNT_MAX];
    static float value[COUNT_MAX];
    static int64_t fixed[COUNT_MAX];
    memset(start, 0, sizeof start);
    draw(5, COUNT_MAX, -1, 1, start[0]);
    draw(6, COUNT_MAX, -1, 1, start[1]);
    for (int s = 0; s < 2; s++) {
        Side *side = &sides[s];
        void *vector[VECTORS] = {side->weight, side->ema, side->slot[0], side->slot[1],
                                 side->slot[2]};
        for (int v = 0; v < VECTORS; v++)
            put(side, vector[v], start[v], sizeof start[v]);
        for (int step = 0; step < 3; step++) {
            draw(10 + (uint32_t)step, COUNT_MAX, -2, 2, value);
            for (int64_t i = 0; i < COUNT_MAX; i++)
                fixed[i] = (int64_t)((double)value[i] * 0x1p44) + i;
            put(side, side->value, value, sizeof value);
            put(side, side->fixed, fixed, sizeof fixed);
            update.first = step == 0;
            update.grad_scale = exact ? 0.7 * 0x1p-44 : 0.7;
            update.correction1 = 1 - pow(update.beta1, step + 1);
            update.correction2 = 1 - pow(update.beta2, step + 1);
            UpdateRange range = {
                .count = count,
                .weight = side->weight,
                .fixed = exact ? side->fixed : NULL,
                .real = exact ? NULL : side->value,
                .ema = ema ? side->ema : NULL,
                .decay = decay,
            };
            for (int i = 0; i < UPDATE_SLOTS; i++)
                range.slot[i] = slots >> i & 1 ? side->slot[i] : NULL;
            check(side->device->ops->update(side->stream, &update, &range));
        }
        for (int v = 0; v < VECTORS; v++)
            get(side, s == 0 ? expected[v] : found[v], vector[v], sizeof found[v]);
    }
    assert_memory_equal(found, expected, sizeof found);
    assert_memory_not_equal(expected[0], start[0], (size_t)count * sizeof start[0][0]);
    /* nothing behind the range, and nothing that is not part of the update */
    assert_true(count == COUNT_MAX || expected[0][count] == start[0][count]);
    assert_true(ema || memcmp(expected[1], start[1], sizeof start[1]) == 0);
    for (int i = 0; i < UPDATE_SLOTS; i++)
        assert_int_equal(slots >> i & 1, expected[2 + i][count - 1] != 0);
}

static void updates_have_the_same_bits(void **state) {
    static const struct {
        OptimizerKind kind;
        int slots; /* bits */
        bool variant;
    } rules[] = {
        {OPTIMIZER_SGD, 0, false},     {OPTIMIZER_SGD, 1, false},    {OPTIMIZER_SGD, 1, true},
        {OPTIMIZER_ADAM, 3, false},    {OPTIMIZER_ADAMW, 3, false},  {OPTIMIZER_RMSPROP, 2, false},
        {OPTIMIZER_RMSPROP, 3, false}, {OPTIMIZER_RMSPROP, 6, true}, {OPTIMIZER_RMSPROP, 7, true},
        {OPTIMIZER_LARS, 0, false},    {OPTIMIZER_LARS, 1, false},   {OPTIMIZER_LAMB, 3, false},
    };
    (void)state;
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        const Update update = {.kind = rules[r].kind,
                               .lr = 0.04,
                               .momentum = rules[r].slots & 1 ? 0.9 : 0,
                               .nesterov = rules[r].variant,
                               .centered = rules[r].variant,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .alpha = 0.95,
                               .eps = 1e-8,
                               .ema_decay = 0.99};
        for (int choice = 0; choice < 8; choice++)
            for (int c = 0; c < COUNTS; c++)
                update_case(update, choice & 1 ? 5e-4 : 0, (choice & 2) != 0, rules[r].slots,
                            (choice & 4) != 0, counts[c]);
    }
}

/* slow + alpha (fast - slow), each operation rounded to float, and the same in both. */
static void lookahead_moves_both(void **state) {
    (void)state;
    static float slow[COUNT_MAX], fast[COUNT_MAX], found[2][COUNT_MAX];
    const float alpha = 0.3f;
    draw(20, COUNT_MAX, -1, 1, slow);
    draw(21, COUNT_MAX, -1, 1, fast);
    for (int s = 0; s < 2; s++)
        for (int c = 0; c < COUNTS; c++) {
            Side *side = &sides[s];
            put(side, side->slot[0], slow, sizeof slow);
            put(side, side->weight, fast, sizeof fast);
            check(side->device->ops->lookahead(side->stream, side->slot[0], side->weight, counts[c],
                                               (double)alpha));
            get(side, found[0], side->slot[0], sizeof found[0]);
            get(side, found[1], side->weight, sizeof found[1]);
            for (int64_t i = 0; i < COUNT_MAX; i++) {
                float difference = fast[i] - slow[i], part = alpha * difference;
                float moved = slow[i] + part;
                bool inside = i < counts[c];
                assert_true(found[0][i] == (inside ? moved : slow[i]));
                assert_true(found[1][i] == (inside ? moved : fast[i]));
            }
        }
}

/* Images of 3 channels and an activation of 20 reach the device's layouts and come back. */
static void copies_come_back(void **state) {
    (void)state;
    static float image[5 * 3 * 32 * 32];
    static double from[5 * 3 * 32 * 32], to[5 * 3 * 32 * 32];
    for (int s = 0; s < 2; s++) {
        Device *device = sides[s].device;
        Tensor tensor[2] = {{.shape = {5, 3, 32, 32}, .dtype = device->real},
                            {.shape = {5, 20, 7, 9}, .dtype = device->real}};
        check(device->ops->layouts(device, NULL, 0, tensor, 2));
        for (int t = 0; t < 2; t++)
            check(device->ops->alloc(device, tensor[t].bytes, &tensor[t].data));
        draw(7, 5 * 3 * 32 * 32, -1, 1, image);
        check(device->ops->upload_images(sides[s].stream, &tensor[0], image));
        check(device->ops->read_tensor(sides[s].stream, to, &tensor[0]));
        for (int i = 0; i < 5 * 3 * 32 * 32; i++)
            assert_true(to[i] == (double)image[i]);
        for (int i = 0; i < 5 * 20 * 7 * 9; i++)
            from[i] = i + 0.25;
        check(device->ops->write_tensor(sides[s].stream, &tensor[1], from));
        check(device->ops->read_tensor(sides[s].stream, to, &tensor[1]));
        assert_memory_equal(to, from, 5 * 20 * 7 * 9 * sizeof *to);
        for (int t = 0; t < 2; t++)
            device->ops->release(device, tensor[t].data);
    }
}

static int open_sides(void **state) {
    (void)state;
    if (device_open_ref(&(DeviceOptions){0}, &sides[0].device) != ST_OK ||
        device_open_cpu(&(DeviceOptions){0}, &sides[1].device) != ST_OK)
        return -1;
    for (int s = 0; s < 2; s++) {
        Side *side = &sides[s];
        const DeviceOps *ops = side->device->ops;
        void **memory[] = {&side->value,   &side->weight,  &side->slot[0],
                           &side->slot[1], &side->slot[2], &side->ema,
                           &side->fixed,   &side->bad,     &side->partial};
        if (ops->stream_open(side->device, &side->stream) != ST_OK)
            return -1;
        for (size_t m = 0; m < sizeof memory / sizeof memory[0]; m++)
            if (ops->alloc(side->device, COUNT_MAX * sizeof(int64_t), memory[m]) != ST_OK)
                return -1;
    }
    return 0;
}

static int close_sides(void **state) {
    (void)state;
    for (int s = 0; s < 2; s++) {
        Side *side = &sides[s];
        const DeviceOps *ops = side->device->ops;
        void *memory[] = {side->value, side->weight, side->slot[0], side->slot[1], side->slot[2],
                          side->ema,   side->fixed,  side->bad,     side->partial};
        for (size_t m = 0; m < sizeof memory / sizeof memory[0]; m++)
            ops->release(side->device, memory[m]);
        ops->stream_close(side->stream);
        ops->close(side->device);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_rounds_and_counts),
        cmocka_unit_test(native_sums),
        cmocka_unit_test(shifted_rounds_on_a_grid_a_parameter),
        cmocka_unit_test(partial_norms),
        cmocka_unit_test(updates_have_the_same_bits),
        cmocka_unit_test(digests_show_any_bit),
        cmocka_unit_test(lookahead_moves_both),
        cmocka_unit_test(copies_come_back),
    };
    return cmocka_run_group_tests_name("flat ranges: cpu against ref", tests, open_sides,
                                       close_sides);
}
