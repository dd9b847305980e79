/* comm_self: one rank without a launcher. Every collective is done before it starts. */
#include "comm_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/log.h"

static Status self_barrier(Comm *comm) {
    (void)comm;
    return ST_OK;
}

static Status self_bcast(Comm *comm, void *data, size_t bytes, int root) {
    (void)comm, (void)data, (void)bytes, (void)root;
    return ST_OK;
}

static Status self_allgather(Comm *comm, const void *mine, size_t bytes, void *all) {
    (void)comm;
    memcpy(all, mine, bytes);
    return ST_OK;
}

static Status self_allreduce(Comm *comm, void *data, int64_t count, DType dtype, ReduceOp op) {
    (void)comm, (void)data, (void)count, (void)dtype, (void)op;
    return ST_OK;
}

static Status self_reduce(Comm *comm, void *state, void *data, int64_t count, DType dtype,
                          void *after, int bucket) {
    (void)comm, (void)state, (void)data, (void)count, (void)dtype, (void)after, (void)bucket;
    return ST_OK;
}

static void self_pause(Comm *comm, Pause *pause, int bucket) {
    (void)comm, (void)pause, (void)bucket;
}

static void self_close(Comm *comm) {
    (void)comm;
}

/* _exit and not exit: other threads may still run, in the HDF5 library for one, whose exit handler
 * would pull the ground from under them. */
static void self_end(Comm *comm, Status status, const char *message) {
    pthread_mutex_lock(&comm->ending);
    comm_write_record(comm, message ? message : status_word(status));
    if (message)
        log_fatal(comm->step, message);
    fflush(stdout);
    _exit((int)status);
}

/* One rank makes its collectives alike. */
static void self_part(Comm *comm) {
    self_end(comm, ST_INTERNAL, "one rank has parted from itself");
}

static bool self_ends(Comm *comm) {
    (void)comm;
    return false;
}

static const char *self_host(const Comm *comm, int rank) {
    (void)rank;
    return comm->host;
}

static const ControlPlane control = {
    .barrier = self_barrier,
    .bcast = self_bcast,
    .allgather = self_allgather,
    .allreduce = self_allreduce,
    .pause = self_pause,
    .close = self_close,
    .end = self_end,
    .part = self_part,
    .ends = self_ends,
    .host = self_host,
};

static const DataPlane data = {.reduce = self_reduce};

Status comm_open_self(double deadline_s, Comm **comm) {
    *comm = comm_new(&control, &data, deadline_s);
    TRY_ALLOC(*comm);
    log_identify(0, 1, (*comm)->host);
    return ST_OK;
}
