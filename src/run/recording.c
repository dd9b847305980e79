/* recording: see recording.h. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "lockstep/flight_dir.h"
#include "lockstep/log.h"

/* Records of starts, the one that begins not counted. */
enum { KEPT = 3 };

/* One line for all that write elsewhere. `where`[ranks]: their folders. */
static void say_elsewhere(const Session *session, const char (*where)[4096]) {
    const Ranks *ranks = &session->ranks;
    const char *run = session->config->out;
    int elsewhere = 0, first = 0;
    for (int r = ranks->size - 1; r >= 0; r--) {
        if (strncmp(where[r], run, strlen(run)) == 0)
            continue;
        elsewhere++;
        first = r;
    }
    if (elsewhere > 0)
        log_info("%d rank%s (the first is %d, on %s) cannot see %s: flight records of theirs would "
                 "be in %s there; for `lockstep flight` copy them to one folder",
                 elsewhere, elsewhere == 1 ? "" : "s", first, comm_host_of(ranks->comm, first), run,
                 where[first]);
}

Status recording_begin(const Session *session) {
    const Ranks *ranks = &session->ranks;
    char start[FLIGHT_START_MAX] = "", mine[4096] = "";
    char(*where)[4096] = NULL;
    Status status = ST_OK;
    if (ranks->rank == 0)
        flight_start_name(start);
    TRY(comm_bcast(ranks->comm, start, sizeof start, 0));
    if (ranks->rank == 0)
        status = flight_prune(session->config->out, KEPT);
    if (status == ST_OK)
        status = comm_record(ranks->comm, session->config->out, start, mine);
    where = calloc((size_t)ranks->size, sizeof *where);
    if (status == ST_OK && !where)
        status = FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(ranks->comm, status));
    TRY_DONE(comm_allgather(ranks->comm, mine, sizeof mine, where));
    if (ranks->rank == 0)
        say_elsewhere(session, (const char(*)[4096])where);
done:
    free(where);
    return status;
}
