/* Training images against those that PIL, torchvision and numpy make (make_augment_cases.py); the
 * same made pixel by pixel, as a GPU does; and the functions behind the draws against the C
 * library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/data/portable.h"
#include "lockstep/augment.h"
#include "lockstep/rng.h"

#include "augment_cases.h"
#include "crc32.h"

enum { CASES = sizeof cases / sizeof *cases, PIXELS_MAX = 3 * 32 * 32 };

static uint8_t pixels[PIXELS_MAX];
static float image[PIXELS_MAX];

static Shape make_record(const struct Case *c, int number) {
    Shape shape = {1, 3, c->height, c->width};
    for (int i = 0; i < 3 * c->height * c->width; i++)
        pixels[i] = (uint8_t)(i * 37 + i / 64 * 11 + i * i % 251 + number * 101);
    return shape;
}

/* The mixed training image of a record of the case, made on the CPU. */
static Mix make_mixed(const struct Case *c, const Augment *augment, int epoch, int number) {
    static float second[PIXELS_MAX];
    Shape shape = {1, 3, c->height, c->width};
    Mix mix = augment_mix(augment, shape, CASE_SEED, epoch, number, CASE_RECORDS);
    make_record(c, mix.partner);
    augment_train(augment, shape, CASE_SEED, epoch, mix.partner, pixels, second);
    make_record(c, number);
    augment_train(augment, shape, CASE_SEED, epoch, number, pixels, image);
    if (mix.label_share > 0)
        augment_blend(&mix, shape, second, image);
    return mix;
}

static void test_cases(void **state) {
    (void)state;
    int wrong = 0;
    for (const struct Case *c = cases; c < cases + CASES; c++) {
        uint32_t crc = 0;
        for (int i = 0; i < CASE_EPOCHS * CASE_RECORDS; i++) {
            Mix mix = make_mixed(c, &c->augment, i / CASE_RECORDS, i % CASE_RECORDS);
            const int32_t label[] = {mix.partner, mix.label_share};
            crc = crc32_of(crc, image, (size_t)(3 * c->height * c->width) * sizeof *image);
            crc = crc32_of(crc, label, sizeof label);
        }
        if (crc != c->crc)
            print_message("%s: %08x is not %08x\n", c->name, crc, c->crc);
        wrong += crc != c->crc;
    }
    assert_int_equal(wrong, 0);
}

/* Pixel i of the image, as a device makes it where no change of bytes is drawn. */
static float device_pixel(const Placement *placement, const ImageRule *rule, Shape shape, int i) {
    int h = (int)shape.h, w = (int)shape.w, channel = i / (h * w), y = i / w % h, x = i % w;
    const PixelScale *scale = &rule->scale;
    if (erase_covers(&placement->erase, y, x))
        return erase_value(&rule->erase, &placement->erase, channel, y, x);
    PixelSource source = placement_source(placement, h, w, y, x);
    uint8_t byte = placement_byte(&source, pixels + channel * h * w, placement->fill[channel]);
    float value = placement_scale(byte, scale->unit, scale->mean[channel], scale->std[channel]);
    return placement_is_cut(placement, y, x) ? 0 : placement_jitter(placement, value);
}

static void check_device(const struct Case *c, const Augment *augment) {
    static float device[PIXELS_MAX];
    ImageRule rule = augment_rule(augment, CASE_SEED);
    Shape shape = {1, 3, c->height, c->width};
    for (int number = 0; number < CASE_RECORDS; number++) {
        Mix mix = make_mixed(c, augment, 1, number);
        Placement first = augment_draw(augment, shape, CASE_SEED, 1, number, 0);
        for (int i = 0; i < shape_count(shape); i++)
            device[i] = device_pixel(&first, &rule, shape, i);
        make_record(c, mix.partner);
        Placement second = augment_draw(augment, shape, CASE_SEED, 1, mix.partner, 0);
        for (int i = 0; mix.label_share > 0 && i < shape_count(shape); i++) {
            if (mix_covers(&mix, i / c->width % c->height, i % c->width))
                device[i] = mix_pixel(&mix, device[i], device_pixel(&second, &rule, shape, i));
        }
        assert_memory_equal(device, image, (size_t)shape_count(shape) * sizeof *image);
    }
}

/* Each case, and each with a rotation before it, but those that change bytes: these are of whole
 * images (tests/cuda/test_kernels_images.c). */
static void test_device(void **state) {
    (void)state;
    int made = 0;
    for (const struct Case *c = cases; c < cases + CASES; c++) {
        Augment augment = c->augment;
        if (augment_rule(&augment, CASE_SEED).changes > 0)
            continue;
        made++;
        check_device(c, &augment);
        augment.rotate = 40;
        check_device(c, &augment);
    }
    assert_int_equal(made, 28);
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

/* Distribution functions of Beta(alpha, alpha) in closed form. */
static double beta_cdf(double alpha, double x) {
    if (alpha == 0.5)
        return 2 / acos(-1.0) * asin(sqrt(x));
    return alpha == 1 ? x : x * x * (3 - 2 * x);
}

/* Shares against their distribution function (Kolmogorov-Smirnov, at a level of 1e-6), and their
 * variance 1 / (4 (2 alpha + 1)); partners uniform over the records. */
static void test_mixup(void **state) {
    (void)state;
    enum { RECORDS = 40000, BINS = 64, PARTNERS = 37 };
    static const double alphas[] = {0.5, 1, 2, 0.05, 0.2};
    for (int a = 0; a < 5; a++) {
        const Augment augment = {.mixup = alphas[a], .mix_probability = 1};
        int below[BINS + 1] = {0}, partners[PARTNERS] = {0};
        double sum = 0, square = 0, variance = 1 / (4 * (2 * alphas[a] + 1));
        for (int record = 0; record < RECORDS; record++) {
            Mix mix = augment_mix(&augment, (Shape){1, 3, 32, 32}, 4, 2, record, PARTNERS);
            double share = (double)mix.label_share / MIX_ONE;
            assert_int_equal(mix.label_share, mix.pixel_share);
            assert_in_range(mix.label_share, 0, MIX_ONE);
            sum += share;
            square += (share - 0.5) * (share - 0.5);
            for (int bin = 1; bin < BINS; bin++)
                below[bin] += share <= (double)bin / BINS;
            partners[mix.partner]++;
        }
        check_mean(sum, RECORDS, 0.5, variance);
        assert_true(fabs(square / RECORDS / variance - 1) < 0.02);
        for (int bin = 1; a < 3 && bin < BINS; bin++)
            assert_true(fabs((double)below[bin] / RECORDS -
                             beta_cdf(alphas[a], (double)bin / BINS)) < 2.7 / sqrt(RECORDS));
        for (int i = 0; i < PARTNERS; i++)
            check_mean(partners[i], RECORDS, 1.0 / PARTNERS, 1.0 / PARTNERS);
    }
}

/* Boxes lie within the image, are of the share that their label counts, and everywhere. A box of
 * half height r covers row y for centres y - r + 1 to y + r, so that row 30 - y mirrors y. */
static void test_cutmix(void **state) {
    (void)state;
    enum { RECORDS = 20000, H = 32, W = 48 };
    const Augment both = {.mixup = 0.2, .cutmix = 1, .mix_probability = 0.75};
    int mixed = 0, cut = 0, covered[4] = {0};
    for (int record = 0; record < RECORDS; record++) {
        Mix mix = augment_mix(&both, (Shape){1, 3, H, W}, 4, 2, record, 50);
        mixed += mix.bottom > 0 || mix.right > 0;
        if (mix.pixel_share != MIX_ONE)
            continue;
        int area = (mix.bottom - mix.top) * (mix.right - mix.left);
        assert_true(mix.top >= 0 && mix.bottom <= H && mix.left >= 0 && mix.right <= W &&
                    area >= 0);
        assert_int_equal(mix.label_share, lrint((double)area / (H * W) * MIX_ONE));
        cut += mix.label_share != MIX_ONE;
        for (int i = 0; i < 4; i++)
            covered[i] += mix_covers(&mix, i / 2 ? 22 : 8, i % 2 ? 34 : 12);
    }
    check_mean(mixed, RECORDS, 0.75, 0.75 * 0.25);
    assert_true(fabs(cut / (double)RECORDS - 0.375) < 0.02);
    for (int i = 0; i < 4; i++)
        assert_true(abs(covered[i] - covered[0]) < 4 * (int)sqrt(2.0 * covered[0]) &&
                    covered[i] > cut / 5);
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
        cmocka_unit_test(test_jitter),    cmocka_unit_test(test_mixup),
        cmocka_unit_test(test_cutmix),    cmocka_unit_test(test_scales),
        cmocka_unit_test(test_portable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
