/* crash: --crash-at, the failure a user plants to see recovery work. */
#ifndef LOCKSTEP_RUN_CRASH_H
#define LOCKSTEP_RUN_CRASH_H

#include "lockstep/comm.h"
#include "lockstep/config.h"

/* Says in the log what was planted, since the rank that it hits may not be the one that keeps the
 * log. Local. */
void crash_announce(const CrashAt *crash, int ranks);

/* Before step `step` is computed: on the rank that is meant, and once per run directory, announces
 * the crash on stderr and does it. Returns true where this rank's loss is to become NaN
 * (CRASH_NAN). Local. */
bool crash_due(const CrashAt *crash, const char *run_dir, int64_t step, Comm *comm);

#endif
