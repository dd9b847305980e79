/* spread: see spread.h. */
#include "spread.h"

#include <math.h>

void spread_add(Spread *spread, double value) {
    if (!isfinite(value))
        return;
    spread->least = spread->n == 0 ? value : fmin(spread->least, value);
    spread->most = spread->n == 0 ? value : fmax(spread->most, value);
    spread->n++;
    spread->sum += value;
    spread->squares += value * value;
}

double spread_mean(const Spread *spread) {
    return spread->n > 0 ? spread->sum / (double)spread->n : (double)NAN;
}

double spread_deviation(const Spread *spread) {
    double mean = spread_mean(spread), n = (double)spread->n;
    return spread->n > 1 ? sqrt(fmax(0, spread->squares - n * mean * mean) / (n - 1)) : (double)NAN;
}
