/* state_view: the arrays of a run's state, on the host, as those of a checkpoint. */
#ifndef LOCKSTEP_RUN_STATE_VIEW_H
#define LOCKSTEP_RUN_STATE_VIEW_H

#include "lockstep/checkpoint.h"
#include "lockstep/session.h"

/* Sets model, arrays and slots of *checkpoint: views of *host, and of what the engine has on the
 * host, to be written, or read into. Local. */
void state_view(const Session *session, const HostState *host, Checkpoint *checkpoint);

/* The other way: the arrays of a checkpoint as those of a HostState. */
HostState state_view_of(const Session *session, const Checkpoint *checkpoint);

#endif
