/* policy: which changes of its bytes a record gets: RandAugment, TrivialAugmentWide, colour jitter.
 * Private to src/data. Local. */
#ifndef LOCKSTEP_DATA_POLICY_H
#define LOCKSTEP_DATA_POLICY_H

#include "lockstep/augment.h"

_Static_assert((int)PIXEL_CHANGES_MAX == (int)POLICY_OPS_MAX + (int)JITTERS, "room for all");

/* In the order in which they are made. */
typedef struct PixelChanges {
    int count;
    PixelChange change[PIXEL_CHANGES_MAX];
} PixelChanges;

/* How many policy_draw draws: of each image as many. */
int policy_changes(const Augment *augment);

/* What the seed's counters draw for a record (augment.h): those of the policy, then jitter. */
PixelChanges policy_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                         int64_t record);

/* Entry `op` of POLICY_TABLE ops of a policy at magnitude `bin` of 0 to POLICY_BINS - 1, the other
 * way round if `negative` and the op has two ways. */
PixelChange policy_change(Policy policy, int op, int bin, bool negative, Shape shape);

#endif
