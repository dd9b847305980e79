/* crash: see crash.h. */
#include "crash.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

static const char *const how_word[] = {"kill", "segv", "abort", "exit", "hang", "nan"};

void crash_announce(const CrashAt *crash, int ranks) {
    if (crash->step >= 0)
        log_info("crash-at: rank %" PRId64 " is to end by %s before step %" PRId64
                 ", once in this run directory",
                 crash->rank < 0 ? ranks - 1 : crash->rank, how_word[crash->how], crash->step);
}

bool crash_due(const CrashAt *crash, const char *run_dir, int64_t step, Comm *comm) {
    bool first = false;
    int64_t victim = crash->rank < 0 ? comm_size(comm) - 1 : crash->rank;
    if (crash->step != step || victim != comm_rank(comm))
        return false;
    if (rundir_crash_marker(run_dir, &first) != ST_OK) {
        log_rank("crash-at: no crash, for its marker cannot be written: %s", status_message());
        status_clear();
        return false;
    }
    if (!first)
        return false;
    log_rank("crash-at: rank %d ends by %s before step %" PRId64 ", as asked", comm_rank(comm),
             how_word[crash->how], step);
    switch (crash->how) {
    case CRASH_KILL:
        raise(SIGKILL);
        break;
    case CRASH_SEGV:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case CRASH_ABORT:
        abort();
    case CRASH_EXIT:
        _exit(1);
    case CRASH_HANG:
        for (;;) /* a loop without an end, not a call that does not return (standstill.h) */
            clock_sleep(0.1);
    case CRASH_NAN:
        return true;
    }
    return false;
}
