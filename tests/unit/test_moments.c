/* Means and standard deviations of channels: exact sums, in whatever parts and order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/moments.h"

static const Shape image = {1, 2, 3, 4};
enum { IMAGES = 50, SIZE = 24, PLANE = 12 };

static void fill(uint8_t *pixels) {
    srand(3);
    for (int i = 0; i < IMAGES * SIZE; i++)
        pixels[i] = (uint8_t)rand();
}

/* The textbook's two passes, in long double. */
static void test_against_two_passes(void **state) {
    (void)state;
    uint8_t pixels[IMAGES * SIZE];
    int64_t sums[MOMENTS_COUNT] = {0};
    double mean[2], std[2];
    fill(pixels);
    moments_add(image, pixels, IMAGES, sums);
    assert_int_equal(sums[0], IMAGES * PLANE);
    moments_take(image, sums, mean, std);
    for (int c = 0; c < 2; c++) {
        long double sum = 0, squares = 0;
        for (int i = 0; i < IMAGES * PLANE; i++)
            sum += pixels[i / PLANE * SIZE + c * PLANE + i % PLANE];
        sum /= IMAGES * PLANE;
        for (int i = 0; i < IMAGES * PLANE; i++) {
            long double from = pixels[i / PLANE * SIZE + c * PLANE + i % PLANE] - sum;
            squares += from * from;
        }
        assert_true(fabs(mean[c] - (double)sum) < 1e-13);
        assert_true(fabs(std[c] - (double)sqrtl(squares / (IMAGES * PLANE))) < 1e-13);
    }
}

static void test_in_any_parts(void **state) {
    (void)state;
    uint8_t pixels[IMAGES * SIZE];
    int64_t whole[MOMENTS_COUNT] = {0}, parts[MOMENTS_COUNT] = {0};
    fill(pixels);
    moments_add(image, pixels, IMAGES, whole);
    moments_add(image, pixels + 31 * SIZE, IMAGES - 31, parts);
    moments_add(image, pixels + 7 * SIZE, 24, parts);
    moments_add(image, pixels, 7, parts);
    assert_memory_equal(whole, parts, sizeof whole);
}

/* White images as large as any, as many as fit: nothing overflows. */
static void test_the_largest(void **state) {
    (void)state;
    static const Shape large = {1, 1, 64, 64};
    uint8_t *pixels = malloc(4096);
    int64_t sums[MOMENTS_COUNT] = {0};
    double mean, std;
    memset(pixels, 255, 4096);
    moments_add(large, pixels, 1, sums);
    free(pixels);
    for (int i = 0; i < MOMENTS_COUNT; i++)
        sums[i] <<= 31;
    moments_take(large, sums, &mean, &std);
    assert_true(mean == 255 && std == 0);
    sums[1] = sums[1] / 2; /* half of it black */
    sums[1 + IMAGE_CHANNELS_MAX] /= 2;
    moments_take(large, sums, &mean, &std);
    assert_true(mean == 127.5 && std == 127.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_two_passes),
        cmocka_unit_test(test_in_any_parts),
        cmocka_unit_test(test_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
