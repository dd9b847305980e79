/* sampler: deals records out to lanes and steps.
 *
 * Everything is a pure function of the sampler's five settings, so a resumed run, or one on another
 * number of ranks, deals the same records without any stored position.
 *
 * Shard l has floor((N + l) / L) records: sizes differ by one at most and grow with l, so lane 0
 * has the least. With `full` whole steps an epoch, the least shard has r < b records left over and
 * the others r or r + 1: the shorter step of an epoch has at most two sizes, besides none at all.
 */
#include "lockstep/sampler.h"

#include <inttypes.h>

#include "lockstep/rng.h"

Status sampler_init(Sampler *sampler, int64_t records, int64_t lanes, int64_t batch, bool drop_last,
                    uint64_t seed) {
    if (records < 1 || records > INT32_MAX || lanes < 1 || batch < 1)
        return FAIL(ST_USAGE,
                    "%" PRId64 " records in batches of %" PRId64 " on %" PRId64
                    " lanes: each must be positive",
                    records, batch, lanes);
    int64_t least = records / lanes; /* shard of lane 0 */
    if (least < 1)
        return FAIL(ST_USAGE,
                    "%" PRId64 " records cannot fill %" PRId64 " lanes: at most %" PRId64
                    " lanes fit",
                    records, lanes, records);
    if (least < batch)
        return FAIL(ST_USAGE,
                    "a lane's batch of %" PRId64 " images is more than its shard has (%" PRId64
                    " records over %" PRId64 " lanes): the largest batch that fits is %" PRId64
                    " a lane, %" PRId64 " in all",
                    batch, records, lanes, least, least * lanes);
    *sampler = (Sampler){.records = records,
                         .lanes = lanes,
                         .batch = batch,
                         .drop_last = drop_last,
                         .seed = seed,
                         .full_steps = least / batch};
    bool rest = records > sampler->full_steps * batch * lanes;
    sampler->steps_per_epoch = sampler->full_steps + (!drop_last && rest ? 1 : 0);
    return ST_OK;
}

/* Records of the shards before lane l: sum of floor((N + i) / L) for i < l. */
static int64_t shard_begin(const Sampler *sampler, int64_t lane) {
    int64_t least = sampler->records / sampler->lanes;
    int64_t larger = sampler->records % sampler->lanes; /* the last `larger` lanes have one more */
    int64_t smaller = sampler->lanes - larger;
    return lane * least + (lane > smaller ? lane - smaller : 0);
}

void sampler_shard(const Sampler *sampler, int64_t lane, int64_t *first, int64_t *count) {
    *first = shard_begin(sampler, lane);
    *count = shard_begin(sampler, lane + 1) - *first;
}

int64_t sampler_images(const Sampler *sampler, int64_t step, int64_t lane) {
    int64_t first, count;
    if (step % sampler->steps_per_epoch < sampler->full_steps)
        return sampler->batch;
    sampler_shard(sampler, lane, &first, &count);
    return count - sampler->full_steps * sampler->batch;
}

int64_t sampler_step_images(const Sampler *sampler, int64_t step) {
    int64_t full = sampler->batch * sampler->lanes;
    if (step % sampler->steps_per_epoch < sampler->full_steps)
        return full;
    return sampler->records - sampler->full_steps * full;
}

int sampler_batches(const Sampler *sampler, int64_t sizes[3]) {
    int n = 0;
    sizes[n++] = sampler->batch;
    if (sampler->steps_per_epoch == sampler->full_steps)
        return n;
    int64_t most = sampler_images(sampler, sampler->full_steps, sampler->lanes - 1);
    int64_t least = sampler_images(sampler, sampler->full_steps, 0);
    if (most < sizes[n - 1])
        sizes[n++] = most;
    if (least < sizes[n - 1] && least > 0)
        sizes[n++] = least;
    return n;
}

void sampler_order(const Sampler *sampler, int64_t epoch, int64_t lane, int32_t *order) {
    RngKey key = rng_key(sampler->seed, RNG_SHUFFLE);
    RngBlock block = {{0}};
    int64_t first, count;
    sampler_shard(sampler, lane, &first, &count);
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    for (int64_t draw = 0; draw < count - 1; draw++) {
        int64_t last = count - 1 - draw;
        if (draw % 4 == 0)
            block = rng_block(key, (uint32_t)epoch, (uint32_t)lane, (uint32_t)(draw / 4), 0);
        uint32_t pick = rng_below(block.word[draw % 4], (uint32_t)last + 1);
        int32_t swap = order[pick];
        order[pick] = order[last];
        order[last] = swap;
    }
}
