/* drift: whether all ranks still hold the same state, by hashes: weights, moving average, optimizer
 * state, running statistics, the run's own state (RunState), and whether schedule, optimizer,
 * augmentation, parameter groups and sampler are as they were when the run began. A rank that
 * differs is named, with what differs. */
#ifndef LOCKSTEP_RUN_DRIFT_H
#define LOCKSTEP_RUN_DRIFT_H

#include "keeper.h"
#include "lockstep/hash.h"
#include "lockstep/session.h"

enum {
    DRIFT_SLOW_RUNNING = STATE_ARRAYS, /* behind one part for each array of the engine */
    DRIFT_PEAK,
    DRIFT_STATE,
    DRIFT_SETTINGS,
    DRIFT_PARTS
};

typedef struct Drift {
    Session *session;  /* borrowed */
    uint64_t settings; /* hash of what stays as it is, when the run began */
    HashState *hash;   /* scratch */
    uint64_t *all;     /* [size][DRIFT_PARTS] */
} Drift;

/* Once the engine is planned and the schedule settled. Local. ST_INTERNAL. */
Status drift_open(Drift *drift, Session *session);
void drift_close(Drift *drift); /* accepts a zeroed struct */

/* Compares. ST_COMM where ranks differ: rank 0 names those in the minority with their hosts, the
 * array, and the last good checkpoint that `keeper` (rank 0's) knows. *bad: weights that are NaN or
 * infinite, the same on every rank. Allocates nothing unless ranks differ. Collective, agreed. */
Status drift_check(Drift *drift, const RunState *state, Keeper *keeper, int64_t *bad);

/* Which of n values are not that of most: odd[n]; returns how many, or 0 where no value is that of
 * more than half of them, though they differ. Local. */
int drift_minority(const uint64_t *value, int n, bool *odd);

#endif
