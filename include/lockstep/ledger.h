/* ledger: which samples a run has trained on, as one number: a sum modulo 2^64, over all images of
 * all steps, of a 64-bit hash of (epoch, record). Local.
 *
 * The order of a sum does not matter, so neither do threads, lanes and ranks. An image left out,
 * taken twice or for another shows but by a chance of 2^-64; that is against faults, not against an
 * adversary. Where in its epoch an image stood does not show. */
#ifndef LOCKSTEP_LEDGER_H
#define LOCKSTEP_LEDGER_H

#include "lockstep/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What records[n] (record numbers), trained on in `epoch` (from 0), add. */
uint64_t ledger_sum(int64_t epoch, const int64_t *records, int64_t n);

/* What lanes [first_lane, end_lane) add in the steps [from, to) of `epoch` (from 0), by the sampler
 * alone. ids[sampler->records]: the training list. order: room for the largest shard. */
uint64_t ledger_planned(const Sampler *sampler, const int64_t *ids, int64_t epoch, int64_t from,
                        int64_t to, int64_t first_lane, int64_t end_lane, int32_t *order);

#ifdef __cplusplus
}
#endif
#endif
