/* crash: --crash-at, the failure a user plants to see recovery work. */
#ifndef LOCKSTEP_RUN_CRASH_H
#define LOCKSTEP_RUN_CRASH_H

#include "lockstep/checkpoint.h"
#include "lockstep/session.h"

/* Says in the log what was planted, since the rank that it hits may not be the one that keeps the
 * log. Local. */
void crash_announce(const CrashAt *crash, int ranks);

/* Before step state->step is computed: on the rank that is meant, and once per run directory,
 * announces the crash on stderr and does it. *nan: this rank's loss is to become NaN (CRASH_NAN).
 * Local. ST_DEVICE. */
Status crash_due(Session *session, RunState *state, bool *nan);

#endif
