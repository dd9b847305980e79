/* sampler: which record goes where, as a pure function of (seed, epoch, step in the epoch, lane).
 * Local.
 *
 * Lane l owns floor((N + l) / L) consecutive records of the training list. Each epoch shuffles each
 * shard (Fisher-Yates, RNG_SHUFFLE counters) and deals it out in batches of b. With drop_last an
 * epoch has floor(min shard / b) steps; without it one shorter step follows where records are left
 * over. */
#ifndef LOCKSTEP_SAMPLER_H
#define LOCKSTEP_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Sampler {
    int64_t records; /* N */
    int64_t lanes;   /* L */
    int64_t batch;   /* b, of a lane */
    bool drop_last;
    uint64_t seed;
    int64_t full_steps;      /* of an epoch */
    int64_t steps_per_epoch; /* full_steps, +1 where a shorter step follows */
} Sampler;

/* ST_USAGE where a lane's shard has fewer than `batch` records, naming the largest batch that fits.
 */
Status sampler_init(Sampler *sampler, int64_t records, int64_t lanes, int64_t batch, bool drop_last,
                    uint64_t seed);

/* Range of lane `lane` in the training list. */
void sampler_shard(const Sampler *sampler, int64_t lane, int64_t *first, int64_t *count);

/* Images of `lane` in step `step` (from the run's beginning): b, or what is left in a shorter step.
 */
int64_t sampler_images(const Sampler *sampler, int64_t step, int64_t lane);

/* Images of the whole step over all lanes. */
int64_t sampler_step_images(const Sampler *sampler, int64_t step);

/* The distinct lane batches a run meets, largest first: sizes[0..3); returns how many (1 to 3). The
 * 0 of a lane that has nothing left for the shorter step is not among them. */
int sampler_batches(const Sampler *sampler, int64_t sizes[3]);

/* order[count of the shard]: the shuffled order of lane `lane`'s shard (positions in the shard) in
 * `epoch`. Step s of the epoch takes order[s b .. s b + images). */
void sampler_order(const Sampler *sampler, int64_t epoch, int64_t lane, int32_t *order);

#ifdef __cplusplus
}
#endif
#endif
