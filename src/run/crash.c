/* crash: see crash.h. */
#include "crash.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "flip.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

/* "rank 2 WHAT before step 7" */
static const char *const what_happens[] = {"ends by kill",
                                           "ends by segv",
                                           "ends by abort",
                                           "ends by exit",
                                           "ends by hang",
                                           "hangs in a forward pass",
                                           "hangs before a sum over ranks",
                                           "leaves a sum over ranks out",
                                           "makes a sum over ranks of another size",
                                           "becomes slow",
                                           "ends by nan",
                                           "has a bit of its weights flipped",
                                           "has a bit of its optimizer's state flipped",
                                           "has a bit of its running statistics flipped",
                                           "has a bit of its moving average flipped",
                                           "has a bit of its copy of the run's state flipped",
                                           "has its copy of the schedule changed",
                                           "has a bit of an image's number flipped"};

void crash_announce(const CrashAt *crash, int ranks) {
    if (crash->step >= 0)
        log_info("crash-at: once in this run directory rank %" PRId64 " %s before step %" PRId64,
                 crash->rank < 0 ? ranks - 1 : crash->rank, what_happens[crash->how], crash->step);
}

/* Whether it is this rank's turn, for the first time. */
static bool is_due(const RunConfig *config, int64_t step, const Comm *comm) {
    const CrashAt *crash = &config->crash;
    bool first = false;
    int64_t victim = crash->rank < 0 ? comm_size(comm) - 1 : crash->rank;
    if (crash->step != step || victim != comm_rank(comm))
        return false;
    if (rundir_crash_marker(config->out, &first) != ST_OK) {
        log_rank("crash-at: no crash, for its marker cannot be written: %s", status_message());
        status_clear();
        return false;
    }
    return first;
}

Status crash_due(Session *session, RunState *state, StepRequest *request) {
    const CrashAt *crash = &session->config->crash;
    Comm *comm = session->ranks.comm;
    if (!is_due(session->config, state->step, comm))
        return ST_OK;
    log_rank("crash-at: rank %d %s before step %" PRId64 ", as asked", comm_rank(comm),
             what_happens[crash->how], state->step);
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
    case CRASH_HANG_FORWARD:
        request->hang = true;
        break;
    case CRASH_HANG_BUCKET:
        comm_plant(comm, FAULT_HANG);
        break;
    case CRASH_SKIP_BUCKET:
        comm_plant(comm, FAULT_SKIP);
        break;
    case CRASH_SHORT_BUCKET:
        comm_plant(comm, FAULT_SIZE);
        break;
    case CRASH_SLOW:
        request->slow = true;
        break;
    case CRASH_NAN:
        request->nan = true;
        break;
    default:
        return flip_bit(session, state, crash->how);
    }
    return ST_OK;
}
