/* normal: numbers of the standard normal distribution, the same bits on every processor. Local. */
#ifndef LOCKSTEP_NORMAL_H
#define LOCKSTEP_NORMAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The x below which a standard normal number is with probability p, for p in [1e-10, 1 - 1e-10]: to
 * 1e-15 of itself or, near 0, of p - 1/2. */
double normal_quantile(double p);

/* The number that a uniform word of a counter (rng.h) stands for: the quantile of the middle of one
 * of 2^32 equal shares, 6.3 at most. */
double normal_from(uint32_t word);

#ifdef __cplusplus
}
#endif
#endif
