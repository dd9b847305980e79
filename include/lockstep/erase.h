/* erase: a part of a finished image that is written over: random erasing. One text for every device
 * that makes images. Header only. Local. */
#ifndef LOCKSTEP_ERASE_H
#define LOCKSTEP_ERASE_H

#include "lockstep/normal.h"
#include "lockstep/rng.h"

#ifdef __CUDACC__
#define ERASE_FN static __host__ __device__ inline
#else
#define ERASE_FN static inline
#endif

enum {
    ERASE_CHANNELS_MAX = 4,
    ERASE_NOISE_BLOCKS = 4, /* fourth counter of noise (augment.h) */
    ERASE_BLOCK = 4         /* words of a counter */
};

/* [top, top + height) x [left, left + width); nothing where height or width is 0. */
typedef struct ErasePart {
    int16_t top, left, height, width;
    uint32_t epoch, record; /* counters of its noise */
} ErasePart;

/* What stands there, the same for all images of a run. */
typedef struct EraseRule {
    int32_t noise; /* 0 or 1: a normal number for each value */
    float value[ERASE_CHANNELS_MAX];
    RngKey key;
} EraseRule;

ERASE_FN int erase_covers(const ErasePart *part, int y, int x) {
    return y >= part->top && y < part->top + part->height && x >= part->left &&
           x < part->left + part->width;
}

/* Value number `number` of the part's, by channel, row and column, is made of word number %
 * ERASE_BLOCK of this. */
ERASE_FN RngBlock erase_noise(const EraseRule *rule, const ErasePart *part, uint32_t number) {
    return rng_block(rule->key, part->epoch, part->record, number / ERASE_BLOCK,
                     ERASE_NOISE_BLOCKS);
}

/* What stands at (y, x), which the part covers, of channel c. */
ERASE_FN float erase_value(const EraseRule *rule, const ErasePart *part, int c, int y, int x) {
    uint32_t number = (uint32_t)((c * part->height + y - part->top) * part->width + x - part->left);
    if (!rule->noise)
        return rule->value[c];
    return (float)normal_from(rng_word(erase_noise(rule, part, number), number % ERASE_BLOCK));
}

#undef ERASE_FN
#endif
