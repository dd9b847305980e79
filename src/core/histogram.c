/* histogram: see histogram.h. */
#include "lockstep/histogram.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Of the powers of two at and below a size, as IEEE 754 counts them. */
static int exponent_of(double size) {
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    return (int)(bits >> 52);
}

void histogram_open(Histogram *histogram) {
    double *zero = histogram->limit + HISTOGRAM_SIDE + 1, limit = 1e-12;
    zero[0] = 0;
    for (int i = 1; i <= HISTOGRAM_SIDE; i++, limit *= 1.1) {
        zero[i] = limit;
        zero[-i] = -limit;
    }
    zero[HISTOGRAM_SIDE + 1] = DBL_MAX;
    zero[-HISTOGRAM_SIDE - 1] = -DBL_MAX;
    for (int e = 0, i = 1; e < HISTOGRAM_EXPONENTS; e++) {
        while (i <= HISTOGRAM_SIDE && exponent_of(zero[i]) < e)
            i++;
        histogram->begin[e] = (int16_t)i;
    }
    histogram_clear(histogram);
}

void histogram_clear(Histogram *histogram) {
    memset(histogram->count, 0, sizeof histogram->count);
    histogram->min = INFINITY;
    histogram->max = -INFINITY;
    histogram->num = histogram->sum = histogram->sum_squares = 0;
}

/* The first limit above `value`; the last one of what is above all. On either side of 0 the search
 * begins at the power of two below, from where it is eight limits at most. */
static int bucket_of(const Histogram *histogram, double value) {
    const int middle = HISTOGRAM_SIDE + 1;
    const double *zero = histogram->limit + middle;
    double size = fabs(value);
    int i = histogram->begin[exponent_of(size)];
    if (value < 0) {
        while (zero[i] < size)
            i++;
        return middle - i + 1;
    }
    while (i < middle && zero[i] <= size)
        i++;
    return middle + i;
}

void histogram_add(Histogram *histogram, double value) {
    if (!isfinite(value))
        return;
    histogram->count[bucket_of(histogram, value)]++;
    histogram->min = value < histogram->min ? value : histogram->min;
    histogram->max = value > histogram->max ? value : histogram->max;
    histogram->num++;
    histogram->sum += value;
    histogram->sum_squares += value * value;
}
