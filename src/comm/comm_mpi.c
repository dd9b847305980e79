/* comm_mpi: ranks over MPI, and the data plane that sums through MPI_Iallreduce.
 *
 * Every wait is a non-blocking collective polled by wait_for: that is what gives it a deadline,
 * lets it answer other ranks' deadlines (comm_mpi_end.c), and keeps an idle rank off the cores.
 * Long messages go in chunks, so that counts fit an int and MPI's own copy of a message stays
 * small. MPI_Init_thread, the making of the communicators right after it, and MPI_Finalize block:
 * a watchdog is their deadline. */
#include "comm_mpi_internal.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "watchdog.h"

enum { CHUNK_BYTES = 32 << 20 };

/* A wait first only yields the core, for messages under way; then it sleeps for a share of what it
 * has waited already, so that it ends late by little and costs little. Yielding alone made steps of
 * four ranks on two cores a third longer. */
static const double YIELD_S = 100e-6, NAP_SHARE = 0.125, NAP_MAX_S = 200e-6, LONG_NAP_S = 1e-3;
static const double WATCH_EVERY_S = 0.05;
static const double START_MIN_S = 20;

Status mpi_fail(Status status, int error, const char *call, const char *file, int line) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    if (MPI_Error_string(error, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "error %d", error);
    return status_fail(status, file, line, "MPI failed in %.*s: %s", (int)strcspn(call, "("), call,
                       text);
}

static double nap_after(double waited) {
    if (waited > WATCH_EVERY_S)
        return LONG_NAP_S;
    double nap = waited * NAP_SHARE;
    return nap < NAP_MAX_S ? nap : NAP_MAX_S;
}

static void mpi_pause(Comm *comm, Pause *pause, int bucket) {
    double waited = clock_running() - pause->start;
    if (waited < YIELD_S) {
        sched_yield();
        return;
    }
    if (waited > comm->deadline)
        mpi_expire(comm, bucket);
    if (waited - pause->watched > WATCH_EVERY_S) {
        pause->watched = waited;
        mpi_watch(comm, bucket, waited);
    }
    clock_sleep(nap_after(waited));
}

/* Polls until the request is done. `bucket`: -1 for the control plane. */
static Status wait_for(Comm *comm, MPI_Request *request, int bucket) {
    Pause pause = {.start = clock_running()};
    for (;;) {
        int done;
        TRY_WAIT(comm, MPI_Test(request, &done, MPI_STATUS_IGNORE));
        if (done)
            return ST_OK;
        mpi_pause(comm, &pause, bucket);
    }
}

static Status mpi_barrier(Comm *comm) {
    Mpi *mpi = comm->control_state;
    MPI_Request request;
    TRY_WAIT(comm, MPI_Ibarrier(mpi->control, &request));
    return wait_for(comm, &request, -1);
}

static Status mpi_bcast(Comm *comm, void *data, size_t bytes, int root) {
    Mpi *mpi = comm->control_state;
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES) {
        size_t part = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        MPI_Request request;
        TRY_WAIT(comm,
                 MPI_Ibcast((char *)data + at, (int)part, MPI_BYTE, root, mpi->control, &request));
        TRY(wait_for(comm, &request, -1));
    }
    return ST_OK;
}

static Status mpi_allgather(Comm *comm, const void *mine, size_t bytes, void *all) {
    Mpi *mpi = comm->control_state;
    if (bytes > CHUNK_BYTES) {
        memcpy((char *)all + (size_t)comm->rank * bytes, mine, bytes);
        for (int r = 0; r < comm->size; r++)
            TRY(mpi_bcast(comm, (char *)all + (size_t)r * bytes, bytes, r));
        return ST_OK;
    }
    MPI_Request request;
    TRY_WAIT(comm, MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE,
                                  mpi->control, &request));
    return wait_for(comm, &request, -1);
}

/* int32 sums are modulo 2^32, which signed ones are not promised to be. */
static MPI_Datatype mpi_type(DType dtype) {
    switch (dtype) {
    case DT_I64:
        return MPI_INT64_T;
    case DT_I32:
        return MPI_UINT32_T;
    case DT_F32:
        return MPI_FLOAT;
    default:
        return MPI_DOUBLE;
    }
}

static Status allreduce_on(Comm *comm, MPI_Comm on, void *data, int64_t count, DType dtype,
                           MPI_Op op, int bucket) {
    int64_t chunk = CHUNK_BYTES / (int64_t)dtype_size(dtype);
    for (int64_t at = 0; at < count; at += chunk) {
        int64_t part = count - at < chunk ? count - at : chunk;
        char *from = (char *)data + (size_t)at * dtype_size(dtype);
        MPI_Request request;
        TRY_WAIT(comm,
                 MPI_Iallreduce(MPI_IN_PLACE, from, (int)part, mpi_type(dtype), op, on, &request));
        TRY(wait_for(comm, &request, bucket));
    }
    return ST_OK;
}

static Status mpi_allreduce(Comm *comm, void *data, int64_t count, DType dtype, ReduceOp op) {
    static const MPI_Op ops[] = {
        [REDUCE_SUM] = MPI_SUM, [REDUCE_MIN] = MPI_MIN, [REDUCE_MAX] = MPI_MAX};
    Mpi *mpi = comm->control_state;
    return allreduce_on(comm, mpi->control, data, count, dtype, ops[op], -1);
}

/* Host memory is complete when it is submitted: there is nothing to wait for. One rank has nothing
 * to add, and its buckets may be in a GPU's memory. */
static Status mpi_reduce(Comm *comm, void *state, void *data, int64_t count, DType dtype,
                         void *after, int bucket) {
    (void)after;
    Mpi *mpi = state;
    if (comm->size == 1)
        return ST_OK;
    if (dtype == DT_BF16)
        return FAIL(ST_INTERNAL, "MPI has no bfloat16");
    /* Another plane before this one has summed over each host: its first ranks are left. */
    MPI_Comm on = comm->data->reduce == mpi_reduce ? mpi->data : mpi->leaders;
    return allreduce_on(comm, on, data, count, dtype, MPI_SUM, bucket);
}

static void mpi_free(Mpi *mpi) {
    free(mpi->places);
    free(mpi->records);
    free(mpi->reports);
    free(mpi->hosts);
    free(mpi);
}

/* Processes start and end at different times, however short the deadline of a running step is. */
static double start_deadline(double deadline_s) {
    return deadline_s < START_MIN_S ? START_MIN_S : deadline_s;
}

static Status mpi_leave(Comm *comm) {
    Mpi *mpi = comm->control_state;
    Watchdog watchdog;
    TRY(comm->survives ? mpi_end_survival(comm) : mpi_end_comparing(comm));
    /* Which has waited for ranks that died at the same time, for ever. mpirun --with-ft takes no
     * offence. */
    if (comm->n_losses > 0)
        return ST_OK;
    TRY(watchdog_start(&watchdog, start_deadline(comm->deadline), "MPI_Finalize", _exit));
    if (mpi->leaders != MPI_COMM_NULL)
        TRY_MPI(MPI_Comm_free(&mpi->leaders));
    TRY_MPI(MPI_Comm_free(&mpi->data));
    TRY_MPI(MPI_Comm_free(&mpi->watch));
    TRY_MPI(MPI_Comm_free(&mpi->control));
    TRY_MPI(MPI_Finalize());
    watchdog_stop(&watchdog);
    return ST_OK;
}

static void mpi_close(Comm *comm) {
    Status status = mpi_leave(comm);
    if (status != ST_OK)
        comm_abort(comm, status);
    mpi_free(comm->control_state);
}

static const char *mpi_host(const Comm *comm, int rank) {
    const Mpi *mpi = comm->control_state;
    return mpi->hosts[rank];
}

static const ControlPlane control = {
    .barrier = mpi_barrier,
    .bcast = mpi_bcast,
    .allgather = mpi_allgather,
    .allreduce = mpi_allreduce,
    .pause = mpi_pause,
    .close = mpi_close,
    .end = mpi_end,
    .part = mpi_part,
    .ends = mpi_ends,
    .host = mpi_host,
    .survive = mpi_survive,
    .commit = mpi_commit,
    .revoke = mpi_revoke,
    .sees_loss = mpi_sees_loss,
};

static const DataPlane data = {.reduce = mpi_reduce};

/* Of "Open MPI v4.1.4, package: ..." and "MPICH Version:\t4.0.2\nMPICH Release date: ..." the first
 * part, each white space as one blank. */
void comm_mpi_version(char *out, size_t room) {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    size_t used = 0;
    int length;
    MPI_Get_library_version(text, &length); /* allowed before MPI_Init */
    text[strcspn(text, ",\n")] = '\0';
    for (const char *at = text; *at && used + 1 < room; at++) {
        bool blank = *at == ' ' || *at == '\t';
        if (!blank || (used > 0 && out[used - 1] != ' '))
            out[used++] = blank ? ' ' : *at;
    }
    out[used] = '\0';
}

/* A launcher whose tasks MPI does not see as ranks would start N runs of one rank each. */
static Status check_size(const Comm *comm) {
    int tasks = comm_launcher_size();
    if (comm->size == 1 && tasks > 1)
        return FAIL(ST_COMM,
                    "the launcher started %d tasks but MPI sees one rank; use the mpirun of %s, or "
                    "srun with the --mpi= that it speaks: pmix, or pmi2 for MPICH and its kind",
                    tasks, comm->library);
    return ST_OK;
}

static Status open_all(Comm *comm, int provided) {
    if (provided < MPI_THREAD_MULTIPLE)
        return FAIL(ST_COMM, "%s offers no MPI_THREAD_MULTIPLE; use a build that does",
                    comm->library);
    TRY(mpi_set_up(comm, MPI_COMM_WORLD));
    return check_size(comm);
}

Status comm_open_mpi(int *argc, char ***argv, double deadline_s, Comm **comm) {
    int provided;
    Comm *c = comm_new(&control, &data, deadline_s);
    Mpi *mpi = calloc(1, sizeof *mpi);
    if (!c || !mpi) {
        free(mpi);
        comm_delete(c);
        return FAIL(ST_INTERNAL, "out of memory");
    }
    mpi->sending = MPI_REQUEST_NULL;
    mpi->watch = mpi->control = mpi->data = mpi->leaders = MPI_COMM_NULL;
    c->control_state = c->data_state = mpi;
    Watchdog watchdog;
    TRY(watchdog_start(&watchdog, start_deadline(deadline_s), "MPI_Init", _exit));
    /* Until the next line MPI ends the process on errors, with a message of its own. */
    TRY_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided));
    TRY_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    TRY_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &c->rank));
    TRY_MPI(MPI_Comm_size(MPI_COMM_WORLD, &c->size));
    comm_mpi_version(c->library, sizeof c->library);
    log_identify(c->rank, c->size, c->host);
    /* Sleeps of some ten microseconds shall last so long; later threads inherit it. */
    prctl(PR_SET_TIMERSLACK, 1000UL);
    Status status = open_all(c, provided);
    watchdog_stop(&watchdog);
    if (status != ST_OK)
        comm_abort(c, status);
    *comm = c;
    return ST_OK;
}
