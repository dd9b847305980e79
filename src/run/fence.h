/* fence: ends this process once its run directory belongs to another one, and says there that it
 * lives. */
#ifndef LOCKSTEP_RUN_FENCE_H
#define LOCKSTEP_RUN_FENCE_H

#include "lockstep/comm.h"
#include "lockstep/rundir.h"

typedef struct Fence Fence;

/* Ends the run (comm_abort) if the directory is lost, naming the new owner. Local, any thread. */
void fence_check(Comm *comm, const RunDir *dir);

/* Looks every two seconds, on a thread of its own: a rank that waits for ranks on nodes out of
 * reach writes nothing, and would else stay until its deadline. Beats (rundir_beat) every `period`
 * seconds, and looks as often at least. Both must outlive the fence. */
Status fence_start(Comm *comm, const RunDir *dir, double period, Fence **fence);
void fence_stop(Fence *fence); /* accepts NULL */

#endif
