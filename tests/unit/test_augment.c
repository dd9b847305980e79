/* Augmentation against a slow implementation that looks up one target pixel at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "lockstep/augment.h"
#include "lockstep/dataset.h"
#include "lockstep/hash.h"
#include "lockstep/rng.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, PIXELS_MAX = 4 * 64 * 64, SEED = 11 };

static Shape shape = {1, 3, SIDE, SIDE};

static const Augment plain = {.mean = {0.4914f, 0.4822f, 0.4465f, 0.5f},
                              .std = {0.2470f, 0.2435f, 0.2616f, 0.25f}};
static uint8_t pixels[PIXELS_MAX];
static float image[PIXELS_MAX];

static int setup(void **state) {
    (void)state;
    Dataset dataset;
    uint16_t label;
    for (int i = 0; i < PIXELS_MAX; i++)
        pixels[i] = (uint8_t)(i * 37 + i / 64 * 11); /* behind the record, for other shapes */
    int64_t id = 3;
    return dataset_open("synthetic", 1, &dataset) != ST_OK ||
           dataset_read(&dataset, DATASET_PART_TRAIN, &id, 1, &label, pixels, NULL) != ST_OK;
}

/* Padding of another value a channel. */
static void fill(Augment *a, int value) {
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++)
        a->pad_fill[c] = (uint8_t)(value + 13 * c);
}

static float normal(const Augment *a, int channel, uint8_t value) {
    float unit = (float)value / 255.0f;
    float centred = unit - a->mean[channel];
    return centred / a->std[channel];
}

/* Pixel (y, x) of the rotated image, in floating point. */
static uint8_t rotated_pixel(const Augment *a, double degrees, int channel, int y, int x) {
    int h = (int)shape.h, w = (int)shape.w;
    if (y < 0 || y >= h || x < 0 || x >= w)
        return a->pad_fill[channel];
    double angle = degrees * acos(-1.0) / 180, u = x - (w - 1) / 2.0, v = y - (h - 1) / 2.0;
    int from_x = (int)floor(cos(angle) * u - sin(angle) * v + w / 2.0);
    int from_y = (int)floor(sin(angle) * u + cos(angle) * v + h / 2.0);
    if (from_x < 0 || from_x >= w || from_y < 0 || from_y >= h)
        return a->pad_fill[channel];
    return pixels[channel * h * w + from_y * w + from_x];
}

/* What pixel (channel, y, x) of the training image must be. */
static float expected(const Augment *a, int64_t epoch, int64_t record, int channel, int y, int x) {
    RngKey key = rng_key(SEED, RNG_AUGMENT);
    RngBlock move = rng_block(key, (uint32_t)epoch, (uint32_t)record, 0, 0);
    RngBlock cut = rng_block(key, (uint32_t)epoch, (uint32_t)record, 1, 0);
    int half = (int)a->cutout / 2;
    int top = (int)rng_below(cut.word[0], (uint32_t)shape.h) - half,
        left = (int)rng_below(cut.word[1], (uint32_t)shape.w) - half;
    if (y >= top && y < top + a->cutout && x >= left && x < left + a->cutout)
        return 0;
    if (rng_unit(move.word[2]) < a->flip)
        x = (int)shape.w - 1 - x;
    int pad = (int)a->crop_pad;
    y += (int)rng_below(move.word[0], 2 * (uint32_t)pad + 1) - pad;
    x += (int)rng_below(move.word[1], 2 * (uint32_t)pad + 1) - pad;
    double degrees = a->rotate * (2 * (double)rng_unit(move.word[3]) - 1);
    return normal(a, channel, rotated_pixel(a, degrees, channel, y, x));
}

/* How many of the pixels of `records` images differ from the slow implementation. */
static int64_t mismatches(const Augment *a, int records) {
    int64_t wrong = 0, plane = shape.h * shape.w;
    for (int record = 0; record < records; record++) {
        augment_train(a, shape, SEED, record % 5, record, pixels, image);
        for (int64_t i = 0; i < shape.c * plane; i++) {
            float want = expected(a, record % 5, record, (int)(i / plane),
                                  (int)(i % plane / shape.w), (int)(i % shape.w));
            wrong += memcmp(&want, &image[i], sizeof want) != 0;
        }
    }
    return wrong;
}

static void test_plain(void **state) {
    (void)state;
    float again[PIXELS];
    augment_plain(&plain, shape, pixels, image);
    for (int i = 0; i < PIXELS; i++)
        assert_true(image[i] == normal(&plain, i / PLANE, pixels[i]));
    augment_train(&plain, shape, SEED, 1, 2, pixels, again);
    assert_memory_equal(image, again, PIXELS * sizeof *image);
}

static void test_crop(void **state) {
    (void)state;
    Augment a = plain;
    static const int pads[] = {1, 4, 31, 32, 40, 100};
    for (int i = 0; i < 6; i++) {
        a.crop_pad = pads[i];
        fill(&a, i * 51);
        assert_int_equal(mismatches(&a, 50), 0);
    }
}

static void test_flip(void **state) {
    (void)state;
    Augment a = plain;
    a.flip = 0.5;
    assert_int_equal(mismatches(&a, 50), 0);
    a.flip = 1;
    augment_train(&a, shape, SEED, 0, 0, pixels, image);
    for (int i = 0; i < PIXELS; i++)
        assert_true(image[i] ==
                    normal(&a, i / PLANE, pixels[i / SIDE * SIDE + SIDE - 1 - i % SIDE]));
}

static void test_cutout(void **state) {
    (void)state;
    Augment a = plain;
    for (a.cutout = 1; a.cutout <= 70; a.cutout = a.cutout * 2 + 1)
        assert_int_equal(mismatches(&a, 50), 0);
    a.cutout = 8;
    assert_int_equal(mismatches(&a, 50), 0);
}

/* The map is rounded to 1/65536 pixel: where the slow one meets a border between two pixels to
 * within that, either may be right. */
static void test_rotate(void **state) {
    (void)state;
    Augment a = plain;
    static const double angles[] = {5, 15, 90, 180};
    for (int i = 0; i < 4; i++) {
        a.rotate = angles[i];
        fill(&a, 77);
        assert_in_range(mismatches(&a, 40), 0, 100);
    }
}

/* A positive angle turns counter-clockwise: what is right of the centre comes to the top. */
static void test_rotate_direction(void **state) {
    (void)state;
    Augment a = plain;
    uint8_t dot[PIXELS] = {0};
    dot[15 * SIDE + 28] = dot[16 * SIDE + 28] = 255;
    a.rotate = 90;
    for (int record = 0; record < 200; record++) {
        RngBlock draw = rng_block(rng_key(SEED, RNG_AUGMENT), 0, (uint32_t)record, 0, 0);
        double degrees = 90 * (2 * (double)rng_unit(draw.word[3]) - 1);
        if (degrees < 88)
            continue;
        augment_train(&a, shape, SEED, 0, record, dot, image);
        float bright = normal(&a, 0, 255);
        assert_true(image[3 * SIDE + 15] == bright || image[3 * SIDE + 16] == bright);
        return;
    }
    fail_msg("no record turned by nearly 90 degrees");
}

static void test_all(void **state) {
    (void)state;
    Augment a = plain;
    a.crop_pad = 4;
    a.flip = 0.5;
    a.cutout = 8;
    fill(&a, 128);
    assert_int_equal(mismatches(&a, 200), 0);
    a.rotate = 15;
    assert_in_range(mismatches(&a, 40), 0, 100);
}

/* Sides and channels are the data set's. */
static void test_other_shapes(void **state) {
    (void)state;
    static const Shape shapes[] = {{1, 1, 28, 28}, {1, 4, 64, 64}, {1, 3, 20, 48}, {1, 2, 64, 9}};
    const Shape usual = shape;
    Augment a = plain;
    a.crop_pad = 4;
    a.flip = 0.5;
    a.cutout = 8;
    fill(&a, 128);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        shape = shapes[i];
        a.rotate = 0;
        assert_int_equal(mismatches(&a, 40), 0);
        a.rotate = 15;
        assert_in_range(mismatches(&a, 40), 0, 200);
    }
    shape = usual;
}

/* What a device makes pixel by pixel from a placement is what the CPU makes row by row. */
static void test_placement(void **state) {
    (void)state;
    Augment a = plain;
    a.crop_pad = 4;
    fill(&a, 7);
    a.flip = 0.5;
    a.rotate = 20;
    a.cutout = 9;
    PixelScale scale = augment_scale(&a);
    int64_t cut = 0, outside = 0;
    for (int record = 0; record < 50; record++) {
        Placement placement = augment_draw(&a, shape, SEED, 2, record, record);
        assert_int_equal(placement.place, record);
        augment_train(&a, shape, SEED, 2, record, pixels, image);
        for (int i = 0; i < PIXELS; i++) {
            int channel = i / PLANE, y = i % PLANE / SIDE, x = i % SIDE;
            PixelSource from = placement_source(&placement, SIDE, SIDE, y, x);
            uint8_t byte = placement_byte(&from, pixels + channel * PLANE, placement.fill[channel]);
            float value =
                placement_is_cut(&placement, y, x)
                    ? 0
                    : placement_scale(byte, scale.unit, scale.mean[channel], scale.std[channel]);
            assert_memory_equal(&value, &image[i], sizeof value);
            cut += placement_is_cut(&placement, y, x);
            outside += from.from[0] < 0;
        }
    }
    assert_true(cut > 50 * 3 * 20 && outside > 50 * 3 * 20);
}

/* Epoch, record and seed each change the image. */
static void test_draws_differ(void **state) {
    (void)state;
    Augment a = plain;
    float base[PIXELS];
    a.cutout = 8;
    a.crop_pad = 4;
    augment_train(&a, shape, SEED, 0, 0, pixels, base);
    augment_train(&a, shape, SEED, 1, 0, pixels, image);
    assert_memory_not_equal(base, image, sizeof base);
    augment_train(&a, shape, SEED, 0, 1, pixels, image);
    assert_memory_not_equal(base, image, sizeof base);
    augment_train(&a, shape, SEED + 1, 0, 0, pixels, image);
    assert_memory_not_equal(base, image, sizeof base);
}

static void test_pinned(void **state) {
    (void)state;
    Augment a = plain;
    uint64_t hash = 0;
    a.crop_pad = 4;
    a.flip = 0.5;
    a.rotate = 15;
    a.cutout = 8;
    for (int record = 0; record < 100; record++) {
        augment_train(&a, shape, SEED, 7, record, pixels, image);
        hash = hash * 31 + hash_bytes(image, PIXELS * sizeof *image);
    }
    assert_true(hash == UINT64_C(0x895f14daf0b77a2a));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_flip),         cmocka_unit_test(test_cutout),
        cmocka_unit_test(test_rotate),       cmocka_unit_test(test_rotate_direction),
        cmocka_unit_test(test_all),          cmocka_unit_test(test_placement),
        cmocka_unit_test(test_other_shapes), cmocka_unit_test(test_draws_differ),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
