/* draw: numbers in a range from words of the counters. Private to src/data. Local. */
#ifndef LOCKSTEP_DATA_DRAW_H
#define LOCKSTEP_DATA_DRAW_H

#include "lockstep/rng.h"

/* Of [low, high), uniform. */
static inline double draw_between(double low, double high, uint32_t word) {
    return low + (high - low) * (double)rng_unit(word);
}

#endif
