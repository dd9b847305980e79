/* dropout: which elements a dropout layer keeps, and which images a droppath layer. One text for
 * every backend, so that their masks have the same bits. Header only. Local.
 *
 * The mask is a pure function of (seed, step, lane, layer, element), where the element is the
 * logical row-major index ((n C + c) H + h) W + w within the lane's batch, whatever the layout in
 * memory. Four neighbouring elements share one Philox block of the RNG_DROPOUT key:
 *
 *   c0 = element / 4 (below 2^32)    c1 = lane | layer << 16 (each below 2^16)
 *   c2 = low half of step            c3 = high half of step
 *   word = element % 4
 *
 * An element is dropped where the word's top 24 bits, as a uniform in [0, 1), are below the rate;
 * compared as integers, so that no rounding enters. Kept ones are multiplied by dropout_scale,
 * dropped ones are 0 whatever they held. Of a droppath layer the elements are the images of the
 * lane's batch, and the key is that of RNG_DROPPATH. This mapping is part of what a seed means:
 * never change it. */
#ifndef LOCKSTEP_DROPOUT_H
#define LOCKSTEP_DROPOUT_H

#include "lockstep/rng.h"

#ifdef __CUDACC__
#define DROPOUT_FN static __host__ __device__ inline
#else
#define DROPOUT_FN static inline
#endif

/* What the masks of one layer in one lane of one step have in common. */
typedef struct DropoutKey {
    RngKey key;
    uint32_t place; /* lane | layer << 16 */
    uint32_t step_low, step_high;
    uint32_t threshold; /* dropped where the top 24 bits of the word are below it */
} DropoutKey;

/* Of the layers of one purpose. `layer` is OpDesc.index; seed, step and lane are LaneRun's. */
DROPOUT_FN DropoutKey dropout_key_of(RngPurpose purpose, uint64_t seed, int64_t step, int32_t lane,
                                     int layer, double rate) {
    DropoutKey dropout;
    double whole = rate * 0x1p24; /* exact: a power of two */
    dropout.key = rng_key(seed, purpose);
    dropout.place = (uint32_t)lane | (uint32_t)layer << 16;
    dropout.step_low = (uint32_t)(uint64_t)step;
    dropout.step_high = (uint32_t)((uint64_t)step >> 32);
    dropout.threshold = (uint32_t)whole;
    dropout.threshold += (double)dropout.threshold < whole; /* rounded up: unit < rate */
    return dropout;
}

/* Elements of a dropout layer. */
DROPOUT_FN DropoutKey dropout_key(uint64_t seed, int64_t step, int32_t lane, int layer,
                                  double rate) {
    return dropout_key_of(RNG_DROPOUT, seed, step, lane, layer, rate);
}

/* Images of a droppath layer. */
DROPOUT_FN DropoutKey droppath_key(uint64_t seed, int64_t step, int32_t lane, int layer,
                                   double rate) {
    return dropout_key_of(RNG_DROPPATH, seed, step, lane, layer, rate);
}

/* The words of elements 4 block to 4 block + 3. */
DROPOUT_FN RngBlock dropout_block(DropoutKey dropout, int64_t block) {
    return rng_block(dropout.key, (uint32_t)block, dropout.place, dropout.step_low,
                     dropout.step_high);
}

/* Whether an element with this word is kept. */
DROPOUT_FN int dropout_keeps(DropoutKey dropout, uint32_t word) {
    return (word >> 8) >= dropout.threshold;
}

/* What kept elements are multiplied by, forward and backward; in double, to be rounded to `real`
 * once. */
DROPOUT_FN double dropout_scale(double rate) {
    return 1.0 / (1.0 - rate);
}

#undef DROPOUT_FN
#endif
