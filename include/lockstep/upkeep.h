/* upkeep: what a person does with the checkpoints of a run directory: `lockstep checkpoint`. Local.
 *
 * A run directory's checkpoints are those of its branch, in RUN/checkpoints, and those that were
 * set aside, in RUN/checkpoints/aside-ID. All failures are ST_CHECKPOINT. */
#ifndef LOCKSTEP_UPKEEP_H
#define LOCKSTEP_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A line for each checkpoint of `run`: file, step, epochs, branch, state hash, and what a look at
 * it came to; those that pruning keeps as the best are named as such, and bad ones, those too that
 * were renamed .bad. */
Status upkeep_list(const char *run, FILE *out);

/* A line for each that is not good, not as its checksum file says, or was renamed .bad; a failure
 * where there is one. */
Status upkeep_verify(const char *run, FILE *out);

/* Gives a new checksum file to each checkpoint of `path`, a run directory or one file, that is good
 * by what it holds and has another one or none. One that is bad stays as it is, and is a failure;
 * what was renamed .bad is passed over. */
Status upkeep_seal(const char *path, FILE *out);

/* Sets the newest good checkpoint of the branch aside (rundir_step_behind). Takes the directory
 * for that time. */
Status upkeep_set_aside(const char *run, FILE *out);

typedef struct PruneWish {
    int64_t keep;      /* so many of the newest stay */
    int64_t keep_best; /* and of the best; 0: as the run's configuration says */
    bool aside;        /* those that were set aside go as well */
} PruneWish;

/* Removes the good checkpoints of the directory's branch but the newest and the best, as the newest
 * one ranks them. Takes the directory for that time: a failure while a run has it. */
Status upkeep_prune(const char *run, const PruneWish *wish, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
