/* Histograms count in TensorFlow's buckets: limits a tenth apart from 1e-12 to 1e20, on both sides
 * of 0; a value on a limit is of the bucket above. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lockstep/histogram.h"

/* The one bucket that has `value`: its limits. */
static void one(Histogram *histogram, double value, double *low, double *high) {
    int found = -1;
    histogram_clear(histogram);
    histogram_add(histogram, value);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->count[i] == 0)
            continue;
        assert_true(found < 0 && histogram->count[i] == 1);
        found = i;
    }
    assert_true(found >= 1);
    *low = histogram->limit[found - 1];
    *high = histogram->limit[found];
}

static void a_value_is_in_its_bucket(void **state) {
    (void)state;
    static const double rows[][3] = {{0, 0, 1e-12},
                                     {1e-12, 1e-12, 1.1e-12},
                                     {-1e-12, -1e-12, 0},
                                     {-1e-13, -1e-12, 0},
                                     {-1.05e-12, -1.1e-12, -1e-12},
                                     {1.15e-12, 1.1e-12, 1.21e-12},
                                     {DBL_MAX, 0, 0},
                                     {-DBL_MAX, 0, 0}};
    Histogram *histogram = malloc(sizeof *histogram);
    double low, high;
    histogram_open(histogram);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        one(histogram, rows[i][0], &low, &high);
        if (fabs(rows[i][0]) < DBL_MAX) {
            assert_float_equal(low * 1e12, rows[i][1] * 1e12, 1e-9);
            assert_float_equal(high * 1e12, rows[i][2] * 1e12, 1e-9);
        } else { /* the largest limit below 1e20 */
            double inner = rows[i][0] > 0 ? low : -high;
            assert_true(inner < 1e20 && inner * 1.1 >= 1e20);
        }
    }
    for (double value = 1e-14; value < 1e19; value *= 1.7) {
        one(histogram, value, &low, &high);
        assert_true(low <= value && value < high);
        one(histogram, -value, &low, &high);
        assert_true(low <= -value && -value < high);
    }
    free(histogram);
}

static void sums_are_of_what_is_finite(void **state) {
    (void)state;
    static const double values[] = {1, -2, NAN, 3, INFINITY, -INFINITY, 0.5};
    Histogram *histogram = malloc(sizeof *histogram);
    histogram_open(histogram);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        histogram_add(histogram, values[i]);
    assert_true(histogram->num == 4 && histogram->min == -2 && histogram->max == 3);
    assert_true(histogram->sum == 2.5 && histogram->sum_squares == 14.25);
    histogram_clear(histogram);
    assert_true(histogram->num == 0 && histogram->sum == 0);
    free(histogram);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_in_its_bucket),
        cmocka_unit_test(sums_are_of_what_is_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
