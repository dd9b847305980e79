/* comm: what all communicators have in common. See comm.h and comm_internal.h.
 *
 * Agreement is one 64-bit minimum: a failing rank puts in rank * 256 + status, the others the
 * largest integer, so the lowest failing rank wins and everybody knows who speaks. A record that
 * has been printed stays behind as a status with an empty message: that is how comm_abort knows
 * to be silent. */
#include "comm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flight_watch.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"

enum { SAME_MAX = 256, STATUS_BITS = 8 };

Comm *comm_new(const ControlPlane *control, const DataPlane *data, double deadline_s) {
    Comm *comm = calloc(1, sizeof *comm);
    if (!comm)
        return NULL;
    if (flight_open(&comm->flight) != ST_OK || pthread_mutex_init(&comm->ending, NULL) != 0) {
        flight_close(comm->flight);
        free(comm);
        return NULL;
    }
    comm->control = control;
    comm->data = comm->own_data = data;
    comm->size = comm->local_size = 1;
    if (gethostname(comm->host, sizeof comm->host) != 0)
        snprintf(comm->host, sizeof comm->host, "unknown");
    comm->host[sizeof comm->host - 1] = '\0';
    snprintf(comm->library, sizeof comm->library, "none");
    comm->deadline = deadline_s;
    comm->step = -1;
    comm->stage = STAGE_SETUP;
    return comm;
}

void comm_delete(Comm *comm) {
    if (!comm)
        return;
    pthread_mutex_destroy(&comm->ending);
    flight_close(comm->flight);
    free(comm->losses);
    free(comm);
}

const char *comm_stage_word(Stage stage) {
    switch (stage) {
    case STAGE_SETUP:
        return "setup";
    case STAGE_DATA:
        return "data";
    case STAGE_COMPUTE:
        return "compute";
    case STAGE_REDUCE:
        return "reduce";
    case STAGE_OPTIMIZER:
        return "optimizer";
    case STAGE_EVALUATE:
        return "evaluate";
    case STAGE_COMPARE:
        return "compare";
    case STAGE_CHECKPOINT:
        return "checkpoint";
    case STAGE_FINISH:
        return "finish";
    }
    return "unknown";
}

void comm_set_data_plane(Comm *comm, const DataPlane *plane, void *state) {
    comm->data_state = state;
    comm->data = plane;
}

void comm_name_data_plane(Comm *comm, const char *name) {
    size_t used = strlen(comm->library);
    if (strstr(comm->library, name)) /* opened again */
        return;
    snprintf(comm->library + used, sizeof comm->library - used, ", %s", name);
}

Status comm_leave_data_plane(Comm *comm) {
    const DataPlane *data = comm->data;
    void *state = comm->data_state;
    if (data == comm->own_data)
        return ST_OK;
    TRY(data->leave(comm, state));
    comm_set_data_plane(comm, comm->own_data, comm->control_state);
    return ST_OK;
}

bool comm_may_lose(const Comm *comm) {
    return comm->survives;
}

bool comm_sees_loss(Comm *comm) {
    return comm->survives && comm->control->sees_loss(comm);
}

void comm_revoke(Comm *comm) {
    if (comm->survives)
        comm->control->revoke(comm);
}

bool comm_is_self(const Comm *comm) {
    return !comm->control_state;
}

void comm_pause(Comm *comm, Pause *pause, int bucket) {
    comm->control->pause(comm, pause, bucket);
}

/* Of Open MPI, MPICH and Intel's (PMI), MVAPICH2, IBM's jsrun: what these give to each process that
 * they start, and to nothing else. */
static int named_size(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                        "JSM_NAMESPACE_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *size = getenv(names[i]);
        if (size && atoi(size) > 0)
            return atoi(size);
    }
    return 0;
}

int comm_launcher_size(void) {
    int size = named_size();
    const char *tasks = getenv("SLURM_STEP_ID") ? getenv("SLURM_STEP_NUM_TASKS") : NULL;
    return size > 0 || !tasks ? size : atoi(tasks);
}

bool comm_launched(void) {
    if (getenv("PMIX_RANK") || getenv("PMI_RANK") || named_size() > 0)
        return true;
    /* The script of an sbatch job is task 0 of its job too, but belongs to no step. A step of
     * several tasks without PMI is a launch as well, if one that MPI_Init will refuse. */
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    return getenv("SLURM_PROCID") && getenv("SLURM_STEP_ID") && tasks && atoi(tasks) > 1;
}

void comm_close(Comm *comm) {
    if (!comm)
        return;
    flight_watch_stop(comm);
    if (comm->data->close) {
        Status status = comm->data->close(comm, comm->data_state);
        if (status == ST_LOST && comm->survives) {
            status_clear();
            status = comm_leave_data_plane(comm);
        }
        if (status != ST_OK)
            comm_abort(comm, status);
        comm_set_data_plane(comm, comm->own_data, comm->control_state);
    }
    comm->control->close(comm);
    comm_delete(comm);
}

int comm_rank(const Comm *comm) {
    return comm->rank;
}

int comm_size(const Comm *comm) {
    return comm->size;
}

int comm_local_rank(const Comm *comm) {
    return comm->local_rank;
}

int comm_local_size(const Comm *comm) {
    return comm->local_size;
}

const char *comm_host(const Comm *comm) {
    return comm->host;
}

const char *comm_library(const Comm *comm) {
    return comm->library;
}

void comm_set_deadline(Comm *comm, double seconds) {
    comm->deadline = seconds;
}

double comm_deadline(const Comm *comm) {
    return comm->deadline;
}

void comm_at(Comm *comm, int64_t step, Stage stage) {
    comm->step = step;
    comm->stage = (int)stage;
    flight_end(comm->flight, comm->stage_order);
    comm->stage_order = flight_begin(
        comm->flight, (FlightEntry){.step = step, .op = FLIGHT_STAGE, .index = (int)stage});
}

Flight *comm_flight(Comm *comm) {
    return comm->flight;
}

const char *comm_host_of(const Comm *comm, int rank) {
    return comm->control->host(comm, rank);
}

void comm_part(Comm *comm) {
    comm->control->part(comm);
    abort(); /* part does not return */
}

void comm_plant(Comm *comm, CommFault fault) {
    comm->fault = fault;
}

/* ---- collectives ---- */

/* The finalizer of MurmurHash3. */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

uint64_t comm_calls(const Comm *comm) {
    return mix(comm->calls[FLIGHT_CONTROL]) + comm->calls[FLIGHT_DATA];
}

/* This rank comes to a collective; what is returned is for flight_end. */
static int64_t come_to(Comm *comm, FlightOp op, size_t bytes, int index) {
    FlightPlane plane;
    flight_is_collective((int)op, &plane);
    FlightEntry entry = {.sequence = ++comm->sequence[plane],
                         .step = comm->step,
                         .bytes = (int64_t)bytes,
                         .op = (int32_t)op,
                         .index = index};
    comm->calls[plane] = mix(comm->calls[plane] ^ mix((uint64_t)entry.step << 8 ^ (uint64_t)op) ^
                             mix((uint64_t)bytes << 16 ^ (uint64_t)index));
    return flight_begin(comm->flight, entry);
}

/* A collective of the control plane, between its two entries. */
static Status leave(Comm *comm, int64_t order, Status status) {
    flight_end(comm->flight, order);
    return status;
}

Status comm_barrier(Comm *comm) {
    int64_t order = come_to(comm, FLIGHT_BARRIER, 0, comm->stage);
    return leave(comm, order, comm->control->barrier(comm));
}

Status comm_bcast(Comm *comm, void *data, size_t bytes, int root) {
    int64_t order = come_to(comm, FLIGHT_BROADCAST, bytes, comm->stage);
    return leave(comm, order, comm->control->bcast(comm, data, bytes, root));
}

Status comm_allgather(Comm *comm, const void *mine, size_t bytes, void *all) {
    int64_t order = come_to(comm, FLIGHT_GATHER, bytes, comm->stage);
    return leave(comm, order, comm->control->allgather(comm, mine, bytes, all));
}

Status comm_sum_i64(Comm *comm, int64_t *values, int64_t count) {
    int64_t order = come_to(comm, FLIGHT_SUM, (size_t)count * sizeof *values, comm->stage);
    return leave(comm, order, comm->control->allreduce(comm, values, count, DT_I64, REDUCE_SUM));
}

Status comm_max_f64(Comm *comm, double *values, int64_t count) {
    int64_t order = come_to(comm, FLIGHT_MAXIMUM, (size_t)count * sizeof *values, comm->stage);
    return leave(comm, order, comm->control->allreduce(comm, values, count, DT_F64, REDUCE_MAX));
}

void comm_begin_step(Comm *comm) {
    flight_end(comm->flight, come_to(comm, FLIGHT_STEP, 0, -1));
}

/* Does what was planted, once. *skip: the sum is left out. */
static void do_fault(Comm *comm, int64_t *count, bool *skip) {
    CommFault fault = comm->fault;
    comm->fault = FAULT_NONE;
    while (fault == FAULT_HANG)
        clock_sleep(0.1);
    *skip = fault == FAULT_SKIP;
    *count -= fault == FAULT_SIZE ? *count / 2 : 0;
}

Status comm_reduce(Comm *comm, void *data, int64_t count, DType dtype, void *after, int bucket) {
    bool skip = false;
    if (dtype != DT_I64 && dtype != DT_I32 && dtype != DT_F32 && dtype != DT_BF16)
        return FAIL(ST_INTERNAL, "a bucket must hold int64, int32, float or bfloat16");
    if (comm->fault != FAULT_NONE)
        do_fault(comm, &count, &skip);
    if (skip)
        return ST_OK;
    int64_t order = come_to(comm, FLIGHT_BUCKET, (size_t)count * dtype_size(dtype), bucket);
    Status status = comm->data->reduce(comm, comm->data_state, data, count, dtype, after, bucket);
    flight_end(comm->flight, order);
    return status;
}

/* The text of a failure that has not been printed yet. */
static const char *last_words(const StatusRecord *record, Status status, char *text, size_t bytes) {
    if (record->message[0])
        return record->message;
    snprintf(text, bytes, "failed without a message (%s)", status_word(status));
    return text;
}

/* A collective that agrees has failed: the end, unless ranks may be lost. */
static Status failed_to_agree(Comm *comm, Status status) {
    if (status != ST_LOST || !comm->survives)
        comm_abort(comm, status);
    return status;
}

Status comm_agree(Comm *comm, Status mine) {
    int64_t key = INT64_MAX;
    if (mine != ST_OK)
        key = ((int64_t)comm->rank << STATUS_BITS) + (int64_t)mine;
    int64_t order = come_to(comm, FLIGHT_AGREEMENT, sizeof key, comm->stage);
    Status status = comm->control->allreduce(comm, &key, 1, DT_I64, REDUCE_MIN);
    flight_end(comm->flight, order);
    if (status != ST_OK)
        return failed_to_agree(comm, status);
    if (key == INT64_MAX)
        return ST_OK;
    Status agreed = (Status)(key & ((1 << STATUS_BITS) - 1));
    comm->agreed = agreed;
    StatusRecord record;
    status_take(&record);
    bool printed = record.status != ST_OK && !record.message[0];
    if (key >> STATUS_BITS == comm->rank && !printed) {
        char text[128];
        log_fatal(comm->step, last_words(&record, agreed, text, sizeof text));
    }
    return status_put(&(StatusRecord){.status = agreed});
}

Status comm_same(Comm *comm, const char *what, const char *mine) {
    char text[SAME_MAX] = "";
    snprintf(text, sizeof text, "%s", mine);
    char(*all)[SAME_MAX] = calloc((size_t)comm->size, sizeof *all);
    Status status = all ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(comm, status));
    status = comm_allgather(comm, text, sizeof text, all);
    if (status != ST_OK)
        TRY_DONE(failed_to_agree(comm, status));
    int other = 1;
    while (other < comm->size && strcmp(all[0], all[other]) == 0)
        other++;
    if (other == comm->rank)
        status = FAIL(ST_COMM,
                      "%s differs between ranks: \"%s\" here, \"%s\" on rank 0; start every rank "
                      "with the same",
                      what, text, all[0]);
    TRY_DONE(comm_agree(comm, status));
done:
    free(all);
    return status;
}

/* ---- lost ranks ---- */

Status comm_survive(Comm *comm) {
    if (!comm->control->survive)
        return FAIL(ST_USAGE,
                    "--elastic: one process without mpirun leaves nobody who could go on; start "
                    "several with mpirun --with-ft ulfm, or leave --elastic out");
    TRY(comm->control->survive(comm));
    comm->survives = true;
    return ST_OK;
}

static int64_t collectives(const Comm *comm) {
    return comm->sequence[FLIGHT_CONTROL] + comm->sequence[FLIGHT_DATA];
}

Status comm_commit(Comm *comm, Status mine) {
    bool idle = mine == ST_OK && collectives(comm) == comm->committed;
    if (!comm->survives || idle || (mine != ST_OK && mine != ST_LOST))
        return mine;
    int64_t order = come_to(comm, FLIGHT_BARRIER, 0, comm->stage);
    Status status = leave(comm, order, comm->control->commit(comm, mine));
    comm->committed = collectives(comm);
    return status;
}

int64_t comm_losses(const Comm *comm, const CommLoss **losses) {
    *losses = comm->losses;
    return comm->n_losses;
}

void comm_abort(Comm *comm, Status status) {
    char text[128];
    StatusRecord record;
    status_take(&record);
    bool printed = record.status != ST_OK && !record.message[0];
    comm->control->end(comm, status,
                       printed ? NULL : last_words(&record, status, text, sizeof text));
    abort(); /* end does not return */
}
