/* samples: the ledger of a run (ledger.h): what its steps have really trained on, as the loader
 * delivered it, held to what the sampler alone deals out. */
#ifndef LOCKSTEP_RUN_SAMPLES_H
#define LOCKSTEP_RUN_SAMPLES_H

#include "lockstep/checkpoint.h"
#include "lockstep/stepper.h"

typedef struct Samples {
    const Session *session; /* borrowed */
    int64_t *ids;   /* [records] the training list, made of the seed, not of what was read */
    int32_t *order; /* scratch: [records of the largest shard] */
    uint64_t own;   /* of this rank's lanes in this epoch, since step own_from */
    int64_t own_from;
} Samples;

/* For a run that goes on from *state. One from before there were ledgers begins its own there.
 * Local. ST_INTERNAL. */
Status samples_open(Samples *samples, const Session *session, RunState *state);
void samples_close(Samples *samples); /* accepts a zeroed struct */

/* The run has gone back to *state. Local. */
void samples_back(Samples *samples, RunState *state);

/* Before step state->step counts as done. Local. */
void samples_step(Samples *samples, RunState *state, const StepResult *step);

/* Whether the epoch so far, up to step state->step, has had the images that it should have: else
 * ST_DATA on all ranks, naming the epoch and, where that is known, rank and lanes. Collective,
 * agreed. Allocates nothing. */
Status samples_check(const Samples *samples, const RunState *state);

/* A new epoch begins. Local. */
void samples_next_epoch(Samples *samples, RunState *state);

#endif
