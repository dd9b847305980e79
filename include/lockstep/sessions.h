/* sessions: sessions.jsonl, a line for each start of a process on the run and one for its end.
 * Local; rank 0.
 *
 * It tells when, where and how the run went on, which metrics.jsonl does not: that one is the same
 * bytes however often a run was stopped. A start without an end was a crash. It is never cut back:
 * of what was computed twice, this is the trace. Lines are {"kind":"start",...} with time, step,
 * host, ranks, threads, device, libraries, version, job (of Slurm, or null), recipe (the file, as
 * it was named), changes (of options over the recipe as it was then: an object) and command; and
 * {"kind":"end",...} with time, step and status; between them {"kind":"lost",...} for a rank that
 * died while the others went on, with time, step, its rank and host, and the ranks left. */
#ifndef LOCKSTEP_SESSIONS_H
#define LOCKSTEP_SESSIONS_H

#include "lockstep/comm.h"
#include "lockstep/rundir.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct SessionStart {
    int64_t step; /* steps done when it began */
    const char *host, *device, *libraries, *version;
    const char *recipe, *changes; /* RunConfig.file and .changes */
    int ranks, threads;
} SessionStart;

/* Both replace the file as a whole, durably. The command line is that of this process. */
Status sessions_start(const RunDir *dir, const SessionStart *start);
Status sessions_end(const RunDir *dir, int64_t step, const char *status);

/* Ranks that died while the others went on: a line each. `ranks`: that are left. */
Status sessions_lost(const RunDir *dir, const CommLoss *losses, int64_t n, int ranks);

#ifdef __cplusplus
}
#endif
#endif
