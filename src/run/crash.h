/* crash: --crash-at, the failure a user plants to see recovery work. */
#ifndef LOCKSTEP_RUN_CRASH_H
#define LOCKSTEP_RUN_CRASH_H

#include "lockstep/checkpoint.h"
#include "lockstep/session.h"
#include "lockstep/stepper.h"

/* Says in the log what was planted, since the rank that it hits may not be the one that keeps the
 * log. Local. */
void crash_announce(const CrashAt *crash, int ranks);

/* Before step state->step is computed: on the rank that is meant, and once per run directory,
 * announces the crash on stderr and does it; what is to come about within the step is asked for in
 * *request. Local. ST_DEVICE. */
Status crash_due(Session *session, RunState *state, StepRequest *request);

#endif
