/* place: the run directory of this start, where its name holds the time. */
#ifndef LOCKSTEP_RUN_PLACE_H
#define LOCKSTEP_RUN_PLACE_H

#include "lockstep/comm.h"
#include "lockstep/config.h"

/* Makes config->out the path of a directory, the same on every rank: at rank 0's time, or the one
 * that an earlier start of this job by the same command line began. Collective, agreed. */
Status place_settle(RunConfig *config, Comm *comm);

#endif
