/* Training images against those that PIL and numpy make (make_augment_cases.py); the same made
 * pixel by pixel, as a GPU does; and the functions behind the draws against the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../../src/data/portable.h"
#include "lockstep/augment.h"
#include "lockstep/rng.h"

#include "augment_cases.h"

enum { CASES = sizeof cases / sizeof *cases, PIXELS_MAX = 3 * 32 * 32 };

static uint8_t pixels[PIXELS_MAX];
static float image[PIXELS_MAX];

/* CRC-32 of IEEE 802.3, continued from `crc`. */
static uint32_t crc32_of(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= ((const uint8_t *)bytes)[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static Shape make_record(const struct Case *c, int number) {
    Shape shape = {1, 3, c->height, c->width};
    for (int i = 0; i < 3 * c->height * c->width; i++)
        pixels[i] = (uint8_t)(i * 37 + i / 64 * 11 + i * i % 251 + number * 101);
    return shape;
}

static void test_cases(void **state) {
    (void)state;
    int wrong = 0;
    for (const struct Case *c = cases; c < cases + CASES; c++) {
        uint32_t crc = 0;
        for (int i = 0; i < CASE_EPOCHS * CASE_RECORDS; i++) {
            int epoch = i / CASE_RECORDS, number = i % CASE_RECORDS;
            Shape shape = make_record(c, number);
            augment_train(&c->augment, shape, CASE_SEED, epoch, number, pixels, image);
            crc = crc32_of(crc, image, (size_t)shape_count(shape) * sizeof *image);
        }
        if (crc != c->crc)
            print_message("%s: %08x is not %08x\n", c->name, crc, c->crc);
        wrong += crc != c->crc;
    }
    assert_int_equal(wrong, 0);
}

/* Pixel i of the image, as a device makes it. */
static float device_pixel(const Placement *placement, const PixelScale *scale, Shape shape, int i) {
    int h = (int)shape.h, w = (int)shape.w, channel = i / (h * w), y = i / w % h, x = i % w;
    PixelSource source = placement_source(placement, h, w, y, x);
    uint8_t byte = placement_byte(&source, pixels + channel * h * w, placement->fill[channel]);
    float value = placement_scale(byte, scale->unit, scale->mean[channel], scale->std[channel]);
    return placement_is_cut(placement, y, x) ? 0 : placement_jitter(placement, value);
}

static void check_device(const struct Case *c, const Augment *augment) {
    PixelScale scale = augment_scale(augment);
    for (int number = 0; number < CASE_RECORDS; number++) {
        Shape shape = make_record(c, number);
        Placement placement = augment_draw(augment, shape, CASE_SEED, 1, number, 0);
        augment_train(augment, shape, CASE_SEED, 1, number, pixels, image);
        for (int i = 0; i < shape_count(shape); i++) {
            float value = device_pixel(&placement, &scale, shape, i);
            assert_memory_equal(&value, &image[i], sizeof value);
        }
    }
}

/* Each case, and each with a rotation before it. */
static void test_device(void **state) {
    (void)state;
    for (const struct Case *c = cases; c < cases + CASES; c++) {
        Augment augment = c->augment;
        check_device(c, &augment);
        augment.rotate = 40;
        check_device(c, &augment);
    }
}

/* Two epochs in a row show each image from both sides, and the share of mirrored ones in the first
 * is as asked. */
static void test_alternate(void **state) {
    (void)state;
    enum { RECORDS = 20000 };
    const Augment a = {.flip = 0.3, .flip_mode = FLIP_ALTERNATE};
    int mirrored = 0;
    for (int record = 0; record < RECORDS; record++) {
        bool first = augment_draw(&a, (Shape){1, 3, 32, 32}, 4, 0, record, 0).mirror;
        mirrored += first;
        for (int epoch = 1; epoch < 6; epoch++)
            assert_int_equal(augment_draw(&a, (Shape){1, 3, 32, 32}, 4, epoch, record, 0).mirror,
                             first != (epoch % 2 == 1));
    }
    assert_true(fabs(mirrored / (double)RECORDS - 0.3) < 4 * sqrt(0.3 * 0.7 / RECORDS));
}

/* Mean of `count` numbers of variance `variance`: within four standard errors of `mean`. */
static void check_mean(double sum, int count, double mean, double variance) {
    assert_true(fabs(sum / count - mean) < 4 * sqrt(variance / count));
}

/* Area is uniform and aspect log-uniform where every part fits; rounding to pixels moves a single
 * one by up to 1/20 here, the means by far less. */
static void test_parts(void **state) {
    (void)state;
    enum { RECORDS = 20000, SIDE = 64 };
    const Augment a = {.area = {0.1, 0.4}, .aspect = {0.5, 2}, .attempts = 10};
    double area = 0, log_aspect = 0, log_square = 0, top = 0;
    for (int record = 0; record < RECORDS; record++) {
        Placement p = augment_draw(&a, (Shape){1, 3, SIDE, SIDE}, 4, 2, record, 0);
        double h = p.part_height, w = p.part_width;
        assert_true(h * w >= 0.095 * SIDE * SIDE && h * w <= 0.41 * SIDE * SIDE);
        assert_true(w / h > 0.48 && w / h < 2.1);
        assert_true(p.part_top >= 0 && p.part_top + h <= SIDE);
        assert_true(p.part_left >= 0 && p.part_left + w <= SIDE);
        area += h * w / (SIDE * SIDE);
        log_aspect += log(w / h);
        log_square += log(w / h) * log(w / h);
        top += p.part_top / (SIDE - h);
    }
    double third = log(2) * log(2) / 3; /* variance of the uniform on -log 2 to log 2 */
    check_mean(area, RECORDS, 0.25, 0.3 * 0.3 / 12);
    check_mean(log_aspect, RECORDS, 0, third);
    assert_true(fabs(log_square / RECORDS / third - 1) < 0.02);
    check_mean(top, RECORDS, 0.5, 1.0 / 12);
}

static void test_jitter(void **state) {
    (void)state;
    enum { RECORDS = 20000 };
    const Augment a = {.brightness = 0.14, .contrast = 0.13};
    double shift = 0, gain = 0, square = 0, product = 0;
    for (int record = 0; record < RECORDS; record++) {
        Placement p = augment_draw(&a, (Shape){1, 3, 32, 32}, 4, 2, record, 0);
        assert_true(fabsf(p.shift) <= 0.14f && fabsf(p.gain - 1) <= 0.1300001f);
        shift += (double)p.shift;
        gain += (double)p.gain;
        square += (double)p.shift * (double)p.shift;
        product += (double)p.shift * ((double)p.gain - 1);
    }
    check_mean(shift, RECORDS, 0, 0.14 * 0.14 / 3);
    check_mean(gain, RECORDS, 1, 0.13 * 0.13 / 3);
    check_mean(product, RECORDS, 0, 0.14 * 0.14 / 3 * 0.13 * 0.13 / 3);
    assert_true(fabs(square / RECORDS / (0.14 * 0.14 / 3) - 1) < 0.03);
}

/* x / 128 - 1 and x / 255 as the formulas say, for each byte. */
static void test_scales(void **state) {
    (void)state;
    const Augment bytes = {.unit = PIXEL_UNIT_BYTE, .mean = {128}, .std = {128}};
    const Augment ones = {.mean = {0}, .std = {1}};
    for (int i = 0; i < 256; i++)
        pixels[i] = (uint8_t)i;
    augment_plain(&bytes, (Shape){1, 1, 16, 16}, pixels, image);
    for (int i = 0; i < 256; i++)
        assert_true((double)image[i] == i / 128.0 - 1);
    augment_plain(&ones, (Shape){1, 1, 16, 16}, pixels, image);
    for (int i = 0; i < 256; i++)
        assert_true(image[i] == (float)i / 255.0f);
}

static void test_portable(void **state) {
    (void)state;
    const RngKey key = rng_key(1, RNG_AUGMENT);
    const long double pi = acosl(-1.0L);
    long double worst = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        RngBlock draw = rng_block(key, i, 0, 0, 0);
        double u = (double)draw.word[0] * 0x1p-32, cosine, sine, degrees = 720 * u - 360;
        long double x = (long double)degrees * pi / 180;
        portable_turn(degrees, &cosine, &sine);
        worst = fmaxl(worst, fmaxl(fabsl(cosine - cosl(x)), fabsl(sine - sinl(x))));
        double positive = ldexp(1 + u, (int)rng_below(draw.word[1], 2000) - 1000);
        worst = fmaxl(worst, fabsl(portable_log(positive) / logl(positive) - 1));
        double exponent = (2 * u - 1) * 700;
        worst = fmaxl(worst, fabsl(portable_exp(exponent) / expl(exponent) - 1));
        double near = 1 + (2 * u - 1) / (1 + draw.word[2] % 1000);
        worst = fmaxl(worst, fabsl(portable_log(near + 1e-9) / logl(near + 1e-9) - 1));
    }
    print_message("largest error %.2Lg\n", worst);
    assert_true(worst < 1e-15L);
    assert_true(portable_log(1) == 0 && portable_exp(0) == 1);
    assert_true(portable_exp(-1e300) == portable_exp(-700) && portable_exp(-700) > 0);
    assert_true(portable_exp(1e300) == portable_exp(700) && isfinite(portable_exp(700)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),     cmocka_unit_test(test_device),
        cmocka_unit_test(test_alternate), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_jitter),    cmocka_unit_test(test_scales),
        cmocka_unit_test(test_portable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
