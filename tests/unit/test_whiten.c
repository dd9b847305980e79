/* Whitening: eigenvectors against what defines them, sums over patches against all patches written
 * out, filters against what they are to do. tests/e2e/whitening.sh compares with numpy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/eigen.h"
#include "lockstep/model.h"
#include "lockstep/patches.h"
#include "lockstep/rng.h"

enum { N = 27 };

static double uniform(uint32_t i, uint32_t j) {
    return 2 * rng_unit(rng_block(rng_key(1, RNG_INIT), i, j, 0, 0).word[0]) - 1;
}

/* matrix vector = value vector, vectors of length 1 at right angles, values falling, signs. */
static void assert_eigen(int n, const double *matrix, const double *values, const double *vectors,
                         double off) {
    for (int i = 0; i < n; i++) {
        double largest = 0;
        assert_true(i == 0 || values[i] <= values[i - 1]);
        for (int k = 0; k < n; k++) {
            double product = 0;
            for (int j = 0; j < n; j++)
                product += matrix[k * n + j] * vectors[i * n + j];
            assert_true(fabs(product - values[i] * vectors[i * n + k]) < off);
            largest = fabs(vectors[i * n + k]) > fabs(largest) ? vectors[i * n + k] : largest;
        }
        assert_true(largest > 0);
        for (int other = 0; other <= i; other++) {
            double product = 0;
            for (int k = 0; k < n; k++)
                product += vectors[i * n + k] * vectors[other * n + k];
            assert_true(fabs(product - (i == other)) < 1e-13);
        }
    }
}

static void check_matrix(int n, const double *matrix, double off) {
    double work[N * N], values[N], vectors[N * N];
    memcpy(work, matrix, (size_t)(n * n) * sizeof *work);
    eigen_symmetric(n, work, values, vectors);
    assert_eigen(n, matrix, values, vectors, off);
}

static void random_matrices(void **state) {
    (void)state;
    for (int n = 1; n <= N; n++) {
        double matrix[N * N];
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                matrix[i * n + j] = matrix[j * n + i] =
                    uniform((uint32_t)(i + 100 * n), (uint32_t)j);
        check_matrix(n, matrix, 1e-13 * n);
        /* Values of very different sizes, as images have them. */
        for (int i = 0; i < n * n; i++)
            matrix[i] *= pow(10, -(i % n) - i / n);
        check_matrix(n, matrix, 1e-13 * n);
    }
}

static void known_matrices(void **state) {
    /* [[2, 1], [1, 2]]: 3 with (1, 1), 1 with (1, -1). */
    double two[4] = {2, 1, 1, 2}, values[3], vectors[9];
    double equal[9] = {5, 0, 0, 0, 5, 0, 0, 0, 5}, diagonal[9] = {-1, 0, 0, 0, 3, 0, 0, 0, 2};
    (void)state;
    eigen_symmetric(2, two, values, vectors);
    assert_true(fabs(values[0] - 3) < 1e-15 && fabs(values[1] - 1) < 1e-15);
    assert_true(fabs(vectors[0] - sqrt(0.5)) < 1e-15 && fabs(vectors[1] - sqrt(0.5)) < 1e-15);
    assert_true(fabs(vectors[2] - sqrt(0.5)) < 1e-15 && fabs(vectors[3] + sqrt(0.5)) < 1e-15);
    eigen_symmetric(3, equal, values, vectors); /* ties stay in their order */
    for (int i = 0; i < 9; i++)
        assert_true(vectors[i] == (i % 4 == 0));
    eigen_symmetric(3, diagonal, values, vectors);
    assert_true(values[0] == 3 && values[1] == 2 && values[2] == -1);
    assert_true(vectors[1] == 1 && vectors[5] == 1 && vectors[6] == 1);
    memset(equal, 0, sizeof equal);
    eigen_symmetric(3, equal, values, vectors);
    assert_true(values[0] == 0 && vectors[0] == 1);
}

/* ---- patches ---- */

enum { IMAGES = 40, C = 3, H = 7, W = 6, K = 3, D = C * K * K, AREA = H * W };

static const Shape image = {1, C, H, W};
static const PixelScale scale = {255, {0.5f, 0.4f, 0.45f}, {0.25f, 0.2f, 0.125f}};
static uint8_t pixels[IMAGES * C * AREA];

static void make_pixels(void) {
    for (int i = 0; i < IMAGES * C * AREA; i++) /* neighbours have something in common */
        pixels[i] =
            (uint8_t)(100 *
                          rng_unit(rng_block(rng_key(2, RNG_INIT), (uint32_t)i, 0, 0, 0).word[0]) +
                      (i / 20 % 7) * 20);
}

static double scaled(int n, int c, int y, int x) {
    return (pixels[((n * C + c) * H + y) * W + x] / 255.0 - scale.mean[c]) / scale.std[c];
}

/* All patches written out. */
static void moments_by_hand(double moments[D * D]) {
    int patches = 0;
    memset(moments, 0, D * D * sizeof *moments);
    for (int n = 0; n < IMAGES; n++)
        for (int y = 0; y + K <= H; y++)
            for (int x = 0; x + K <= W; x++, patches++) {
                double patch[D];
                for (int i = 0; i < D; i++)
                    patch[i] = scaled(n, i / (K * K), y + i / K % K, x + i % K);
                for (int i = 0; i < D * D; i++)
                    moments[i] += patch[i / D] * patch[i % D];
            }
    for (int i = 0; i < D * D; i++)
        moments[i] /= patches;
}

static void sums_are_of_all_patches(void **state) {
    double moments[D * D], expected[D * D];
    int64_t sums[1 + D + D * D] = {0}, parts[1 + D + D * D] = {0};
    (void)state;
    make_pixels();
    assert_true(patch_elements(image, K) == D && patch_sums_count(image, K) == 1 + D + D * D);
    patch_sums_add(image, K, pixels, IMAGES, sums);
    assert_true(sums[0] == IMAGES * (H - K + 1) * (W - K + 1));
    patch_moments(image, K, &scale, sums, moments);
    moments_by_hand(expected);
    for (int i = 0; i < D * D; i++)
        assert_true(fabs(moments[i] - expected[i]) < 1e-12);
    /* In parts, in another order. */
    patch_sums_add(image, K, pixels + 15 * C * AREA, IMAGES - 15, parts);
    patch_sums_add(image, K, pixels, 15, parts);
    assert_memory_equal(sums, parts, sizeof sums);
}

/* Over the patches the outputs are uncorrelated and of size 1, but for eps. */
static void filters_whiten(void **state) {
    const double eps = 1e-9;
    double moments[D * D], work[D * D];
    float weights[2 * D * D];
    ParamView view = {.count = 2 * D * D, .spec = {.dim = {2 * D, C, K, K}, .init_arg = eps}};
    (void)state;
    make_pixels();
    moments_by_hand(moments);
    memcpy(work, moments, sizeof work);
    assert_int_equal(model_whiten(&view, work, weights), ST_OK);
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            double sum = 0;
            for (int k = 0; k < D * D; k++)
                sum += weights[i * D + k / D] * moments[k] * weights[j * D + k % D];
            assert_true(fabs(sum - (i == j)) < 1e-4);
            assert_true(weights[(D + i) * D + j] == -weights[i * D + j]);
        }
    /* Of images without any variance. */
    memset(work, 0, sizeof work);
    assert_int_equal(model_whiten(&view, work, weights), ST_OK);
    assert_true(fabs(weights[0] * sqrt(eps) - 1) < 1e-6 && weights[1] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_matrices),
        cmocka_unit_test(known_matrices),
        cmocka_unit_test(sums_are_of_all_patches),
        cmocka_unit_test(filters_whiten),
    };
    return cmocka_run_group_tests_name("whitening", tests, NULL, NULL);
}
