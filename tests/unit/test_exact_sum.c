/* Fixed-point sums: rounding, bounds, room for all terms, and independence of order. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lockstep/exact_sum.h"

static void formats_have_room_for_all_terms(void **state) {
    (void)state;
    static const struct {
        int64_t lanes;
        int digits; /* ceil(log2 lanes) */
    } rows[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {128, 7}, {1000, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FixedPoint gradient = fixed_gradient(rows[i].lanes);
        FixedPoint statistics = fixed_statistics(rows[i].lanes);
        assert_int_equal(gradient.k, 47 - rows[i].digits);
        assert_int_equal(statistics.k, 38 - rows[i].digits);
        assert_true(gradient.bound == 32768 && statistics.bound == 16777216);
        assert_true(gradient.scale == ldexp(1, gradient.k) && gradient.unit == 1 / gradient.scale);
        /* The largest term of every lane: no wrap, and the value comes back. */
        int64_t bad = 0, sum = 0;
        double largest = nextafterf(32768, 0);
        for (int64_t lane = 0; lane < rows[i].lanes; lane++)
            assert_false(__builtin_add_overflow(sum, fixed_from(gradient, -largest, &bad), &sum));
        assert_int_equal(bad, 0);
        assert_true(fixed_value(gradient, sum) == -largest * (double)rows[i].lanes);
    }
    assert_int_equal(fixed_loss().k, 24);
    assert_true(fixed_loss().bound == 16384);
}

static void terms_round_to_nearest_even(void **state) {
    (void)state;
    FixedPoint f = fixed_loss();
    static const struct {
        double units;
        int64_t expected;
    } rows[] = {{0, 0},    {0.5, 0},  {1.5, 2},   {2.5, 2},   {3.5, 4},        {0.49, 0},
                {0.51, 1}, {-0.5, 0}, {-1.5, -2}, {-2.5, -2}, {1000.25, 1000}, {-0.75, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t bad = 0;
        assert_int_equal(fixed_from(f, rows[i].units * f.unit, &bad), rows[i].expected);
        assert_int_equal(bad, 0);
    }
}

static void values_come_back(void **state) {
    (void)state;
    FixedPoint f = fixed_gradient(8);
    int64_t bad = 0;
    /* A float of ordinary size has 24 digits: exact where its last one is not below 2^-44. */
    static const float exact[] = {1.0f, -0.1f, 3.1415927f, 32767.998f, 0x1.234568p-20f, 0x1p-44f};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        assert_true(fixed_value(f, fixed_from(f, exact[i], &bad)) == (double)exact[i]);
    /* Below that at most half a unit is lost. */
    double small = 0x1.234567p-30;
    assert_true(fabs(fixed_value(f, fixed_from(f, small, &bad)) - small) <= f.unit / 2);
    assert_int_equal(bad, 0);
}

static void bad_terms_count_and_add_nothing(void **state) {
    (void)state;
    FixedPoint f = fixed_gradient(4);
    const double terms[] = {NAN, -NAN, INFINITY, -INFINITY, 32768, -32768, 1e300};
    int64_t bad = 10;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        assert_int_equal(fixed_from(f, terms[i], &bad), 0);
        assert_int_equal(bad, 11 + (int64_t)i);
    }
    assert_true(fixed_from(f, nextafter(32768, 0), &bad) == ((int64_t)1 << 60) - 128);
    assert_int_equal(bad, 17);
}

static void order_does_not_matter(void **state) {
    (void)state;
    enum { N = 1000, ORDERS = 50 };
    FixedPoint f = fixed_gradient(N);
    static double terms[N];
    int64_t bad = 0, first = 0;
    double naive_first = 0;
    int naive_differs = 0;
    srand48(1);
    for (int i = 0; i < N; i++)
        terms[i] = (drand48() - 0.5) * ldexp(1, (int)(drand48() * 40) - 25);
    for (int order = 0; order < ORDERS; order++) {
        int64_t sum = 0;
        double naive = 0;
        for (int i = N - 1; i > 0; i--) {
            int j = (int)(drand48() * (i + 1));
            double swap = terms[i];
            terms[i] = terms[j];
            terms[j] = swap;
        }
        for (int i = 0; i < N; i++) {
            sum += fixed_from(f, terms[i], &bad);
            naive += terms[i];
        }
        if (order == 0) {
            first = sum;
            naive_first = naive;
        }
        assert_true(sum == first);
        naive_differs += naive != naive_first;
    }
    assert_int_equal(bad, 0);
    assert_true(first != 0);
    /* The terms were hard enough that plain sums do depend on the order. */
    assert_true(naive_differs > 0);
}

/* Against long double, which has 64 digits: terms of all sizes, those of one sign at the bound. */
static void pairs_are_as_good_as_exact(void **state) {
    enum { N = 1000 };
    (void)state;
    FixedPair f = fixed_pair(N);
    int64_t bad = 0, sum[2] = {0, 0};
    long double whole = 0;
    uint32_t draw = 1;
    for (int i = 0; i < N; i++) {
        draw = draw * 1664525u + 1013904223u;
        double term = ldexp((double)(int32_t)draw, (int)(draw >> 8 & 31) - 50), back;
        int64_t pair[2];
        fixed_pair_from(f, term, pair, &bad);
        back = fixed_pair_value(f, pair);
        assert_true(fabs(back - term) <= fmax(0x1p-65, fabs(term) * 0x1p-52));
        sum[0] += pair[0];
        sum[1] += pair[1];
        whole += term;
    }
    assert_int_equal(bad, 0);
    assert_true(fabsl(whole - fixed_pair_value(f, sum)) <= N * 0x1p-65L + fabsl(whole) * 0x1p-52L);

    double largest = nextafter(0x1p40, 0);
    sum[0] = sum[1] = 0;
    for (int i = 0; i < N; i++) {
        int64_t pair[2];
        fixed_pair_from(f, -largest, pair, &bad);
        assert_false(__builtin_add_overflow(sum[0], pair[0], &sum[0]));
        assert_false(__builtin_add_overflow(sum[1], pair[1], &sum[1]));
    }
    assert_int_equal(bad, 0);
    assert_true(fixed_pair_value(f, sum) == -largest * N);

    static const double wrong[] = {NAN, INFINITY, -INFINITY, 0x1p40, -0x1p40};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t pair[2];
        fixed_pair_from(f, wrong[i], pair, &bad);
        assert_true(bad == (int64_t)i + 1 && pair[0] == 0 && pair[1] == 0);
    }
}

/* A peak below 2^n leaves 31 - 3 digits of it: by hand. */
static void shifts_follow_the_peak(void **state) {
    (void)state;
    static const struct {
        int64_t peak;
        int shift;
    } rows[] = {{0, 0},
                {1, 0},
                {(1 << 28) - 1, 0},
                {1 << 28, 1},
                {(1 << 29) - 1, 1},
                {1 << 29, 2},
                {INT64_C(1) << 47, 20},
                {(INT64_C(1) << 62) - 1, 34},
                {PEAK_MAX, 35}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(fixed_shift(rows[i].peak), rows[i].shift);
    for (int n = 31; n < 58; n++) { /* relative to the peak the unit is at most 2^-27 */
        int64_t peak = (INT64_C(1) << n) + n;
        assert_true(ldexp(1, fixed_shift(peak)) <= ldexp((double)peak, -27));
        assert_true(fixed_fits(fixed_shift(peak), 7 * peak, 4));
        assert_false(fixed_fits(fixed_shift(peak), 16 * peak, 4));
    }
    assert_int_equal(fixed_follow(0, 0), 0);
    assert_int_equal(fixed_follow(0, 7), 7);
    assert_int_equal(fixed_follow(1600, 1501), 1501);
    assert_int_equal(fixed_follow(1600, 1499), 1500);
    assert_int_equal(fixed_follow(PEAK_MAX, PEAK_MAX), PEAK_MAX);
}

/* What is said to fit does, however the lanes' terms and the largest of them were rounded: of the
 * largest sums that fit, and of the smallest that do not. */
static void what_fits_is_an_int32(void **state) {
    (void)state;
    static const int64_t lanes[] = {1, 2, 3, 8, 1000, 4096};
    int64_t closest = 0;
    for (size_t l = 0; l < sizeof lanes / sizeof *lanes; l++)
        for (int shift = 0; shift < 28; shift++) {
            FixedPoint format = fixed_gradient(lanes[l]);
            int64_t bad = 0;
            for (int64_t off = -40; off <= 40; off++) {
                /* each lane's largest value, in units of 2^(shift - k), and a half: rounds up */
                double units = floor(2147483647.0 / (double)lanes[l]) + (double)off + 0.5;
                double value = ldexp(units, shift - format.k);
                if (value >= format.bound)
                    continue;
                int64_t largest = lanes[l] * fixed_from(format, value, &bad);
                int64_t sum = lanes[l] * llrint(units);
                bool fits = fixed_fits(shift, largest, lanes[l]);
                assert_true(!fits || sum <= INT32_MAX);
                if (fits && sum > closest)
                    closest = sum;
            }
            assert_int_equal(bad, 0);
        }
    assert_true(closest > INT32_MAX - 8); /* and no more than a few are refused for nothing */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_have_room_for_all_terms),
        cmocka_unit_test(terms_round_to_nearest_even),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(bad_terms_count_and_add_nothing),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(pairs_are_as_good_as_exact),
        cmocka_unit_test(shifts_follow_the_peak),
        cmocka_unit_test(what_fits_is_an_int32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
