/* histogram: see histogram.h. */
#include "lockstep/histogram.h"

#include <float.h>
#include <math.h>
#include <string.h>

void histogram_open(Histogram *histogram) {
    double *zero = histogram->limit + HISTOGRAM_SIDE + 1, limit = 1e-12;
    zero[0] = 0;
    for (int i = 1; i <= HISTOGRAM_SIDE; i++, limit *= 1.1) {
        zero[i] = limit;
        zero[-i] = -limit;
    }
    zero[HISTOGRAM_SIDE + 1] = DBL_MAX;
    zero[-HISTOGRAM_SIDE - 1] = -DBL_MAX;
    histogram_clear(histogram);
}

void histogram_clear(Histogram *histogram) {
    memset(histogram->count, 0, sizeof histogram->count);
    histogram->min = INFINITY;
    histogram->max = -INFINITY;
    histogram->num = histogram->sum = histogram->sum_squares = 0;
}

/* The first limit above `value`; the last one of what is above all. */
static int bucket_of(const Histogram *histogram, double value) {
    int low = 0, high = HISTOGRAM_BUCKETS - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (histogram->limit[middle] > value)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void histogram_add(Histogram *histogram, double value) {
    if (!isfinite(value))
        return;
    histogram->count[bucket_of(histogram, value)]++;
    histogram->min = fmin(histogram->min, value);
    histogram->max = fmax(histogram->max, value);
    histogram->num++;
    histogram->sum += value;
    histogram->sum_squares += value * value;
}
