/* standstill: the deadline of calls that have none: a file system that does not answer keeps
 * whoever reads or writes there, and no signal reaches him. */
#ifndef LOCKSTEP_ENGINE_STANDSTILL_H
#define LOCKSTEP_ENGINE_STANDSTILL_H

#include "lockstep/comm.h"

typedef struct Standstill Standstill;

/* From now on a thread watches the calling one, the command's main thread. Every wait of lockstep's
 * own looks at the clock now and then (clock.h, thread.h, comm_pause), so where the main thread has
 * used no processor time for half the deadline, and two seconds at least, a call of the system has
 * kept it: the watch says so, with the file where the kernel tells it, else with `place` (borrowed,
 * what the command reads and writes), and ends the command by comm_abort with ST_DEADLINE. Local.
 */
Status standstill_start(Comm *comm, const char *place, Standstill **standstill);

/* The command has failed, and said so: that is the exit code, whatever keeps it from its end.
 * Local. */
void standstill_failed(Standstill *standstill, Status status); /* accepts NULL */

void standstill_stop(Standstill *standstill); /* accepts NULL */

#endif
