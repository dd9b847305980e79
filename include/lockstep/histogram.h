/* histogram: how values are spread, in the buckets that TensorFlow counts in by default. Local.
 *
 * The limits of buckets (InitDefaultBuckets in TensorFlow's lib/histogram/histogram.cc) grow by a
 * tenth from 1e-12 to 1e20, on both sides of 0. Bucket i holds what is in [limit i - 1, limit i).
 */
#ifndef LOCKSTEP_HISTOGRAM_H
#define LOCKSTEP_HISTOGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HISTOGRAM_SIDE = 774,
    HISTOGRAM_BUCKETS = 2 * HISTOGRAM_SIDE + 3,
    HISTOGRAM_EXPONENTS = 2047 /* that a finite double has */
};

typedef struct Histogram {
    double limit[HISTOGRAM_BUCKETS]; /* ascending, -DBL_MAX to DBL_MAX */
    double count[HISTOGRAM_BUCKETS];
    int16_t begin[HISTOGRAM_EXPONENTS]; /* of each: the first limit above 0 that has it, or more */
    double min, max, num, sum, sum_squares; /* min and max of nothing: infinity, -infinity */
} Histogram;

void histogram_open(Histogram *histogram);              /* sets the limits; empty */
void histogram_clear(Histogram *histogram);             /* empty; keeps the limits */
void histogram_add(Histogram *histogram, double value); /* what is not finite does not count */

#ifdef __cplusplus
}
#endif
#endif
