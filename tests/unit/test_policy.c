/* Each op of the policies and colour jitter's hue against torchvision's (make_pixel_cases.py), and
 * what is drawn of policies, jitter and erasing against the laws that it is to follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/data/pixel_apply.h"
#include "../../src/data/policy.h"
#include "lockstep/augment.h"

#include "crc32.h"
#include "pixel_cases.h"

enum { CASES = sizeof pixel_cases / sizeof *pixel_cases, PIXELS_MAX = 3 * 64 * 64, SEED = 4 };

static const Shape colour = {1, 3, 32, 32};

static void make_record(int number, Shape shape, uint8_t *pixels) {
    for (int64_t i = 0; i < shape_count(shape); i++) {
        int64_t x = (i * 37 + i / 64 * 11 + i * i % 251 + number * 101) % 256;
        pixels[i] = (uint8_t)(number % 2 == 1 ? x : 60 + x / 3);
    }
}

static uint32_t changed_crc(const struct PixelCase *c, Shape shape, uint32_t crc) {
    static const uint8_t fill[] = {9, 99, 200};
    uint8_t source[PIXELS_MAX], target[PIXELS_MAX];
    for (int bin = 0; bin < POLICY_BINS; bin++) {
        for (int way = 0; way < (c->op >= 1 && c->op <= 9 ? 2 : 1); way++) {
            PixelChange change = policy_change(c->policy, c->op, bin, way == 1, shape);
            make_record(bin, shape, source);
            pixel_apply(&change, shape, fill, source, target);
            crc = crc32_of(crc, target, (size_t)shape_count(shape));
        }
    }
    return crc;
}

static void test_ops(void **state) {
    (void)state;
    static const Shape shapes[] = {{1, 3, 32, 32}, {1, 1, 28, 28}, {1, 3, 20, 28}, {1, 1, 64, 9},
                                   {1, 3, 64, 64}, {1, 3, 2, 5},   {1, 1, 1, 1}};
    int wrong = 0;
    assert_int_equal(CASES, 2 * POLICY_TABLE);
    for (int i = 0; i < CASES; i++) {
        uint32_t crc = 0;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            crc = changed_crc(&pixel_cases[i], shapes[s], crc);
        if (crc != pixel_cases[i].crc)
            print_message("policy %d, op %d: %08x is not %08x\n", (int)pixel_cases[i].policy,
                          pixel_cases[i].op, crc, pixel_cases[i].crc);
        wrong += crc != pixel_cases[i].crc;
    }
    assert_int_equal(wrong, 0);
}

static void test_hue(void **state) {
    (void)state;
    enum { SIDE = 86, COLOURS = SIDE * SIDE * SIDE };
    static const double turns[] = {-0.5, -0.21, 0.0, 0.1, 0.4987};
    uint8_t *source = malloc(3 * COLOURS), *target = malloc(3 * COLOURS);
    uint32_t crc = 0;
    assert_non_null(source);
    assert_non_null(target);
    for (int i = 0; i < COLOURS; i++) {
        source[i] = (uint8_t)(3 * (i / SIDE / SIDE));
        source[COLOURS + i] = (uint8_t)(3 * (i / SIDE % SIDE));
        source[2 * COLOURS + i] = (uint8_t)(3 * (i % SIDE));
    }
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < COLOURS; j++) {
            const Colour rgb = {{source[j], source[COLOURS + j], source[2 * COLOURS + j]}};
            Colour turned = colour_turned(rgb, (int)(turns[i] * 255));
            for (int c = 0; c < 3; c++)
                target[c * COLOURS + j] = turned.at[c];
        }
        crc = crc32_of(crc, target, 3 * COLOURS);
    }
    free(source);
    free(target);
    assert_true(crc == colours_crc);
}

/* ---- draws ---- */

/* Of `n` draws `count` fell where a share `p` should: within four and a half standard errors. */
static void check_share(int64_t count, int64_t n, double p) {
    assert_true(fabs((double)count / (double)n - p) < 4.5 * sqrt(p * (1 - p) / (double)n));
}

static void check_mean(double sum, int64_t n, double mean, double variance) {
    assert_true(fabs(sum / (double)n - mean) < 4.5 * sqrt(variance / (double)n));
}

static bool is_same(const PixelChange *a, const PixelChange *b) {
    if (a->op != b->op)
        return false;
    if (a->op == PIXEL_MOVE)
        return memcmp(a->by.map, b->by.map, sizeof a->by.map) == 0;
    return a->op == PIXEL_NONE || a->by.number == b->by.number; /* or their factors' bits */
}

/* Op, magnitude and way of a policy's table. */
typedef struct Place {
    int op, bin, way;
} Place;

/* Of entries alike the first: moves by nothing are all shear x. */
static Place place_of(Policy policy, const PixelChange *change) {
    static PixelChange table[3][POLICY_TABLE][POLICY_BINS][2];
    static bool made[3];
    for (int op = 0; !made[policy] && op < POLICY_TABLE; op++) {
        for (int i = 0; i < 2 * POLICY_BINS; i++)
            table[policy][op][i / 2][i % 2] = policy_change(policy, op, i / 2, i % 2 == 1, colour);
    }
    made[policy] = true;
    for (int op = 0; op < POLICY_TABLE; op++) {
        for (int i = 0; i < 2 * POLICY_BINS; i++) {
            if (is_same(&table[policy][op][i / 2][i % 2], change))
                return (Place){op, i / 2, i % 2};
        }
    }
    fail_msg("a change that is not in the table");
    return (Place){0, 0, 0};
}

/* Ops are as likely as each other, each place of an image's ops for itself, and so are both ways of
 * those that have two. */
static void test_randaugment(void **state) {
    (void)state;
    enum { RECORDS = 20000, OPS = 2 };
    const Augment augment = {
        .policy = POLICY_RANDAUGMENT, .policy_ops = OPS, .policy_magnitude = POLICY_BINS - 1};
    int count[OPS][POLICY_TABLE] = {{0}}, back[POLICY_TABLE] = {0}, both[POLICY_TABLE] = {0};
    for (int record = 0; record < RECORDS; record++) {
        PixelChanges changes = policy_draw(&augment, colour, SEED, 2, record);
        Place place[OPS];
        assert_int_equal(changes.count, OPS);
        for (int i = 0; i < OPS; i++) {
            place[i] = place_of(POLICY_RANDAUGMENT, &changes.change[i]);
            count[i][place[i].op]++;
            back[place[i].op] += place[i].way;
        }
        both[place[0].op] += place[0].op == place[1].op;
    }
    for (int op = 0; op < POLICY_TABLE; op++) {
        check_share(count[0][op], RECORDS, 1.0 / POLICY_TABLE);
        check_share(count[1][op], RECORDS, 1.0 / POLICY_TABLE);
        check_share(both[op], RECORDS, 1.0 / (POLICY_TABLE * POLICY_TABLE));
        if (op >= 1 && op <= 9)
            check_share(back[op], count[0][op] + count[1][op], 0.5);
        else
            assert_int_equal(back[op], 0);
    }
}

static void test_trivialaugment(void **state) {
    (void)state;
    enum { RECORDS = 30000 };
    const Augment augment = {.policy = POLICY_TRIVIALAUGMENT, .policy_ops = 5};
    int count[POLICY_TABLE] = {0}, rotated[POLICY_BINS] = {0}, back = 0;
    for (int record = 0; record < RECORDS; record++) {
        PixelChanges changes = policy_draw(&augment, colour, SEED, 2, record);
        assert_int_equal(changes.count, 1);
        Place place = place_of(POLICY_TRIVIALAUGMENT, &changes.change[0]);
        count[place.op]++;
        rotated[place.bin] += place.op == 5;
        back += place.op == 5 && place.way == 1;
    }
    for (int op = 0; op < POLICY_TABLE; op++) {
        bool moves = op >= 1 && op <= 5; /* four of these five give their bin 0 to the first */
        double share = !moves ? 1 : op == 1 ? 35.0 / 31 : 30.0 / 31;
        check_share(count[op], RECORDS, share / POLICY_TABLE);
    }
    check_share(back, count[5], 0.5);
    for (int bin = 1; bin < POLICY_BINS; bin++)
        check_share(rotated[bin], count[5], 1.0 / 30);
}

/* Factors are uniform over their ranges, which end at 0, a turn of the hue over its own, and each
 * of the 24 orders is as likely as any other. */
static void test_jitter(void **state) {
    (void)state;
    enum { RECORDS = 24000 };
    const Augment augment = {.jitter = {0.4, 2, 0.1, 0.25}};
    static const double low[] = {0.6, 0, 0.9}, high[] = {1.4, 3, 1.1};
    double sum[JITTERS] = {0}, square[JITTERS] = {0};
    int order[256] = {0}, orders = 0;
    for (int record = 0; record < RECORDS; record++) {
        PixelChanges changes = policy_draw(&augment, colour, SEED, 2, record);
        int places = 0;
        assert_int_equal(changes.count, JITTERS);
        for (int i = 0; i < JITTERS; i++) {
            const PixelChange *change = &changes.change[i];
            bool hue = change->op == PIXEL_HUE;
            int jitter = hue                              ? JITTER_HUE
                         : change->op == PIXEL_BRIGHTNESS ? JITTER_BRIGHTNESS
                         : change->op == PIXEL_CONTRAST   ? JITTER_CONTRAST
                         : change->op == PIXEL_SATURATION ? JITTER_SATURATION
                                                          : JITTERS;
            assert_true(jitter < JITTERS);
            places = places << 2 | jitter;
            if (hue) {
                assert_in_range(change->by.number + 63, 0, 126);
                sum[jitter] += change->by.number;
                square[jitter] += (double)change->by.number * change->by.number;
                continue;
            }
            double part = ((double)change->by.factor - low[jitter]) / (high[jitter] - low[jitter]);
            assert_true(part > -1e-6 && part < 1 + 1e-6);
            sum[jitter] += part;
            square[jitter] += part * part;
        }
        orders += order[places]++ == 0;
    }
    for (int i = 0; i < JITTER_HUE; i++) {
        check_mean(sum[i], RECORDS, 0.5, 1.0 / 12);
        check_mean(square[i], RECORDS, 1.0 / 3, 4.0 / 45);
    }
    /* 63.75 u towards 0 to a whole number: 63 with a share of 0.75, all below it of 1 */
    double expected = 63 * 63 * 0.75 / 63.75, fourth = expected * 63 * 63;
    for (int i = 0; i < 63; i++) {
        expected += i * i / 63.75;
        fourth += (double)i * i * i * i / 63.75;
    }
    check_mean(sum[JITTER_HUE], RECORDS, 0, expected);
    check_mean(square[JITTER_HUE], RECORDS, expected, fourth - expected * expected);
    assert_int_equal(orders, 24);
    for (int i = 0; i < 256; i++) {
        if (order[i] > 0)
            check_share(order[i], RECORDS, 1.0 / 24);
    }
}

/* What is not asked for is not made, and the rest keeps its numbers. */
static void test_jitter_alone(void **state) {
    (void)state;
    const Augment all = {.jitter = {0.4, 2, 0.1, 0.25}}, one = {.jitter = {0, 2, 0, 0}};
    for (int record = 0; record < 100; record++) {
        PixelChanges whole = policy_draw(&all, colour, SEED, 2, record);
        PixelChanges alone = policy_draw(&one, colour, SEED, 2, record);
        int at = 0;
        while (whole.change[at].op != PIXEL_CONTRAST)
            at++;
        assert_int_equal(alone.count, 1);
        assert_true(is_same(&alone.change[0], &whole.change[at]));
    }
}

/* Area and aspect are uniform, the latter in the logarithm, where every rectangle fits; rounding to
 * pixels moves single ones. */
static void test_erase_parts(void **state) {
    (void)state;
    enum { RECORDS = 20000, SIDE = 64 };
    const Augment augment = {.erase = 0.3, .erase_area = {0.1, 0.2}, .erase_aspect = {0.5, 2}};
    const Shape shape = {1, 3, SIDE, SIDE};
    double area = 0, log_aspect = 0, log_square = 0, top = 0, left = 0;
    int64_t erased = 0;
    for (int record = 0; record < RECORDS; record++) {
        ErasePart part = augment_draw(&augment, shape, SEED, 2, record, 0).erase;
        double h = part.height, w = part.width;
        if (part.height == 0)
            continue;
        erased++;
        assert_true(h * w > 0.095 * SIDE * SIDE && h * w < 0.21 * SIDE * SIDE);
        assert_true(h / w > 0.46 && h / w < 2.2);
        assert_true(part.top >= 0 && part.top + part.height <= SIDE);
        assert_true(part.left >= 0 && part.left + part.width <= SIDE);
        area += h * w / (SIDE * SIDE);
        log_aspect += log(h / w);
        log_square += log(h / w) * log(h / w);
        top += part.top / (SIDE - h);
        left += part.left / (SIDE - w);
    }
    double third = log(2) * log(2) / 3;
    check_share(erased, RECORDS, 0.3);
    check_mean(area, erased, 0.15, 0.1 * 0.1 / 12);
    check_mean(log_aspect, erased, 0, third);
    assert_true(fabs(log_square / (double)erased / third - 1) < 0.04);
    check_mean(top, erased, 0.5, 1.0 / 12);
    check_mean(left, erased, 0.5, 1.0 / 12);
}

/* Noise: inside alone, each number its own, of mean 0 and variance 1, none far out. */
static void test_erase_noise(void **state) {
    (void)state;
    enum { RECORDS = 200 };
    const Augment augment = {.erase = 1,
                             .erase_area = {0.1, 0.4},
                             .erase_aspect = {0.5, 2},
                             .erase_with = ERASE_NOISE,
                             .mean = {100, 100, 100},
                             .std = {1, 1, 1}};
    static float image[3 * 32 * 32];
    static const uint8_t black[3 * 32 * 32];
    double sum = 0, square = 0, fourth = 0, neighbours = 0;
    int64_t n = 0, within = 0;
    for (int record = 0; record < RECORDS; record++) {
        ErasePart part = augment_draw(&augment, colour, SEED, 2, record, 0).erase;
        augment_train(&augment, colour, SEED, 2, record, black, image);
        for (int i = 0; i < 3 * 32 * 32; i++) {
            int y = i / 32 % 32, x = i % 32;
            bool inside = y >= part.top && y < part.top + part.height && x >= part.left &&
                          x < part.left + part.width;
            double value = (double)image[i];
            assert_true(inside == (value != -100));
            if (!inside)
                continue;
            n++;
            sum += value;
            square += value * value;
            fourth += value * value * value * value;
            within += fabs(value) < 1;
            if (x > part.left)
                neighbours += value * (double)image[i - 1];
        }
    }
    check_mean(sum, n, 0, 1);
    check_mean(square, n, 1, 2);
    check_mean(fourth, n, 3, 96);
    check_mean(neighbours, n, 0, 1);
    check_share(within, n, 0.68268949213708590);
}

/* A rectangle as high or as wide as the image does not fit, as in torchvision. */
static void test_erase_nothing(void **state) {
    (void)state;
    const Augment whole = {.erase = 1, .erase_area = {0.99, 1}, .erase_aspect = {1, 1}};
    const Augment high = {.erase = 1, .erase_area = {0.9, 0.9}, .erase_aspect = {4, 5}};
    for (int record = 0; record < 50; record++) {
        assert_int_equal(augment_draw(&whole, colour, SEED, 2, record, 0).erase.height, 0);
        assert_int_equal(augment_draw(&high, colour, SEED, 2, record, 0).erase.height, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops),           cmocka_unit_test(test_hue),
        cmocka_unit_test(test_randaugment),   cmocka_unit_test(test_trivialaugment),
        cmocka_unit_test(test_jitter),        cmocka_unit_test(test_jitter_alone),
        cmocka_unit_test(test_erase_parts),   cmocka_unit_test(test_erase_noise),
        cmocka_unit_test(test_erase_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
