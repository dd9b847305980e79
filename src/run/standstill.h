/* standstill: the deadline of calls that have none: a file system that does not answer keeps
 * whoever reads or writes there, and no signal reaches him. */
#ifndef LOCKSTEP_RUN_STANDSTILL_H
#define LOCKSTEP_RUN_STANDSTILL_H

#include "lockstep/comm.h"

typedef struct Standstill Standstill;

/* From now on a thread watches the calling one, the run's main thread. Every wait of lockstep's own
 * looks at the clock now and then (clock.h, thread.h, comm_pause), so where the main thread has
 * used no processor time for half the deadline, and two seconds at least, a call of the system has
 * kept it: the watch says so, with the file where the kernel tells it, else with `out` (borrowed,
 * the run directory), and ends the run by comm_abort with ST_DEADLINE. Local. */
Status standstill_start(Comm *comm, const char *out, Standstill **standstill);

/* The run has failed, and said so: that is the exit code, whatever keeps it from its end. Local. */
void standstill_failed(Standstill *standstill, Status status);

void standstill_stop(Standstill *standstill); /* accepts NULL */

#endif
