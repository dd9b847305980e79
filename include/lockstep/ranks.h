/* ranks: the processes of one command, and this one's place among them. */
#ifndef LOCKSTEP_RANKS_H
#define LOCKSTEP_RANKS_H

#include "lockstep/comm.h"
#include "lockstep/config.h"
#include "lockstep/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Ranks {
    Comm *comm;
    int rank, size;
    int wanted;  /* compute threads that were asked for, or that its cores allow; 0: not settled */
    int threads; /* compute threads: as many, but no more than it has lanes */
} Ranks;

/* Opens the communicator (MPI where launched by mpirun or srun), identifies this process to the
 * log, and agrees on `status`, the outcome of reading the command line: its deadline is the
 * configuration's, 300 s where there is none yet. Collective. */
Status ranks_open(Ranks *ranks, const RunConfig *config, Status status);

/* The communicator has become smaller (comm_commit): takes over its rank and size. Local. */
void ranks_follow(Ranks *ranks);

/* To be called before anything is freed: a failure that is this rank's alone ends all ranks at once
 * (comm_abort), since the others may wait for it for ever. Local. */
void ranks_judge(const Ranks *ranks, Status status);

/* All ranks leave together. Collective. Accepts a zeroed struct. */
void ranks_close(Ranks *ranks);

/* Rank 0's text (NULL: none) becomes every rank's; what the others had is freed. The caller frees
 * it. Collective, agreed. */
Status ranks_share_text(const Ranks *ranks, char **text);

/* Rank 0's configuration is what the others must have: ST_USAGE names the first line that differs.
 * Collective, agreed. */
Status ranks_compare_config(const Ranks *ranks, const RunConfig *config);

/* Compute threads of this rank: `wanted`, or, where that is 0, what suits `device` (NULL: a CPU):
 * the host's cores shared out over its ranks, one thread for an accelerator, whose lanes say more
 * (cores_streams). Local. */
int ranks_threads(const Ranks *ranks, const Device *device, int64_t wanted);

/* Cores this process may use. Local. */
int cores_available(void);

#ifdef __cplusplus
}
#endif
#endif
