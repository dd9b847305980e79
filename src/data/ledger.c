/* ledger: see ledger.h. */
#include "lockstep/ledger.h"

#include "lockstep/hash.h"

static uint64_t entry(int64_t epoch, int64_t record) {
    const int64_t both[2] = {epoch, record};
    return hash_bytes(both, sizeof both);
}

uint64_t ledger_sum(int64_t epoch, const int64_t *records, int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += entry(epoch, records[i]);
    return sum;
}

uint64_t ledger_planned(const Sampler *sampler, const int64_t *ids, int64_t epoch, int64_t from,
                        int64_t to, int64_t first_lane, int64_t end_lane, int32_t *order) {
    uint64_t sum = 0;
    for (int64_t lane = first_lane; lane < end_lane && from < to; lane++) {
        int64_t first, count;
        sampler_shard(sampler, lane, &first, &count);
        sampler_order(sampler, epoch, lane, order);
        int64_t last = (to - 1) * sampler->batch + sampler_images(sampler, to - 1, lane);
        for (int64_t i = from * sampler->batch; i < last; i++)
            sum += entry(epoch, ids[first + order[i]]);
    }
    return sum;
}
