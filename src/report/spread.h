/* spread: mean and deviation of a sample. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_SPREAD_H
#define LOCKSTEP_REPORT_SPREAD_H

#include <stdint.h>

/* Begins zeroed. */
typedef struct Spread {
    int64_t n;
    double sum, squares, least, most;
} Spread;

void spread_add(Spread *spread, double value); /* what is not finite does not count */
double spread_mean(const Spread *spread);      /* NaN: of nothing */
double spread_deviation(const Spread *spread); /* divided by n - 1; NaN: of less than two */

#endif
