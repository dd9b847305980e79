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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_have_room_for_all_terms),
        cmocka_unit_test(terms_round_to_nearest_even),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(bad_terms_count_and_add_nothing),
        cmocka_unit_test(order_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
