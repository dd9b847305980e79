/* bn_sums: what lanes share for batch norm over the batch: doubles in OpMemory.shared, which become
 * their sums over all lanes of the step. Header only. Local.
 *
 * Forward shares how many values a channel has, their sum, and the sum of their squares; backward
 * the sums of g and of g times the normalised x. The squares are about 0, so that those of lanes
 * can be added: in double, a variance v loses what is below 1e-16 mean^2. */
#ifndef LOCKSTEP_BN_SUMS_H
#define LOCKSTEP_BN_SUMS_H

#include <stdint.h>

typedef struct BnSums {
    double *count;          /* of each channel's values; not used by backward */
    double *first, *second; /* [channels] */
} BnSums;

static inline int bn_sums_count(int64_t channels) {
    return (int)(1 + 2 * channels);
}

static inline BnSums bn_sums(double *shared, int64_t channels) {
    return (BnSums){shared, shared + 1, shared + 1 + channels};
}

typedef struct BnMoments {
    double mean, var, unbiased; /* of a single value the unbiased variance is 0 */
} BnMoments;

static inline BnMoments bn_moments(const BnSums *sums, int64_t channel) {
    double count = *sums->count, mean = sums->first[channel] / count;
    double var = sums->second[channel] / count - mean * mean;
    var = var < 0 ? 0 : var; /* NaN stays NaN */
    return (BnMoments){mean, var, count > 1 ? var * count / (count - 1) : 0};
}

#endif
