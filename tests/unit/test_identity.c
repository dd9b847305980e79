/* Which records a set has, in whatever order; and what CIFAR-10 is known by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/dataset.h"
#include "lockstep/moments.h"

static void test_a_hash_is_of_label_and_pixels(void **state) {
    (void)state;
    static const Shape image = {1, 1, 4, 4};
    uint8_t pixels[16] = {1, 2, 3};
    uint64_t one = record_hash(image, 3, pixels);
    assert_true(record_hash(image, 3, pixels) == one);
    assert_true(record_hash(image, 4, pixels) != one);
    pixels[15] = 1;
    assert_true(record_hash(image, 3, pixels) != one);
}

static void test_others_keep_their_name(void **state) {
    (void)state;
    uint64_t sum = 1;
    Dataset dataset;
    dataset_cifar10(&dataset);
    strcpy(dataset.name, "own");
    assert_true(dataset_may_be_cifar10(&dataset));
    dataset_recognise(&dataset, &sum, 2);
    assert_string_equal(dataset.name, "own");
    dataset.count[DATASET_PART_TEST]--;
    assert_false(dataset_may_be_cifar10(&dataset));
}

typedef struct Sums {
    uint64_t hash;
    int64_t moments[MOMENTS_COUNT], of_class[10];
} Sums;

/* Of a whole part, read in pieces. */
static void sum_part(const Dataset *dataset, DatasetPart part, Sums *sums) {
    enum { PIECE = 500 };
    int64_t ids[PIECE];
    uint16_t labels[PIECE];
    int64_t size = shape_count(dataset->image);
    uint8_t *pixels = malloc((size_t)(PIECE * size));
    memset(sums, 0, sizeof *sums);
    for (int64_t first = 0; first < dataset->count[part]; first += PIECE) {
        for (int64_t i = 0; i < PIECE; i++)
            ids[i] = first + i;
        assert_int_equal(dataset_read(dataset, part, ids, PIECE, labels, pixels, NULL), ST_OK);
        moments_add(dataset->image, pixels, PIECE, sums->moments);
        for (int64_t i = 0; i < PIECE; i++) {
            sums->hash += record_hash(dataset->image, labels[i], pixels + i * size);
            sums->of_class[labels[i]]++;
        }
    }
    free(pixels);
}

/* The set that has the published means and deviations is the one that is called cifar10. */
static void test_cifar10(void **state) {
    (void)state;
    static const double mean[3] = {0.49139968, 0.48215841, 0.44653091};
    static const double std[3] = {0.24703223, 0.24348513, 0.26158784};
    const char *folder = getenv("CIFAR10_DIR");
    Dataset dataset;
    Sums train, test;
    double own_mean[4], own_std[4];
    if (!folder || dataset_open(folder, 1, &dataset) != ST_OK || !dataset_may_be_cifar10(&dataset))
        skip();
    assert_string_equal(dataset_name(&dataset), "cifar10-like");
    sum_part(&dataset, DATASET_PART_TRAIN, &train);
    sum_part(&dataset, DATASET_PART_TEST, &test);
    moments_take(dataset.image, train.moments, own_mean, own_std);
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(own_mean[c] / 255 - mean[c]) < 1e-8);
        assert_true(fabs(own_std[c] / 255 - std[c]) < 1e-8);
    }
    for (int c = 0; c < 10; c++)
        assert_true(train.of_class[c] == 5000 && test.of_class[c] == 1000);
    dataset_recognise(&dataset, &train.hash, test.hash);
    assert_string_equal(dataset_name(&dataset), "cifar10");
    strcpy(dataset.name, "x");
    train.hash++;
    dataset_recognise(&dataset, &train.hash, test.hash);
    assert_string_equal(dataset_name(&dataset), "x");
    dataset_recognise(&dataset, NULL, test.hash);
    assert_string_equal(dataset_name(&dataset), "cifar10");
    dataset_free(&dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hash_is_of_label_and_pixels),
        cmocka_unit_test(test_others_keep_their_name),
        cmocka_unit_test(test_cifar10),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
