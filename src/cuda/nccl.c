/* cuda/nccl: the data plane (data_plane.h) over NCCL, for buckets in GPU memory.
 *
 * MPI stays the control plane: it carries NCCL's unique id and the agreement that every rank has
 * joined. The communicator is non-blocking, so no call of NCCL can hang this process: each is
 * polled with comm_pause, which has the deadline and answer other ranks. Sums run on a
 * stream of their own, of the highest priority, behind the event that completes a bucket; the
 * reducer's thread returns when one is done, and backward goes on meanwhile.
 *
 * When a run ends badly, or goes on without a lost rank, the communicator is aborted first, so that
 * kernels that wait for a lost peer leave the GPU; by a thread that is given ABORT_S seconds, for
 * the abort can hang itself. `calls` keeps others out of NCCL from then on: the communicator is
 * gone.
 *
 * Where ranks may be lost, NCCL may say so, or wait for ever; MPI knows better (comm_sees_loss). */
#include "check.h"

#include <nccl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/data_plane.h"

enum { ABORT_S = 5, MPI_HEARS_S = 10, UUID_TEXT_MAX = 48 };

typedef struct Nccl {
    ncclComm_t comm; /* NULL until it is being made */
    cudaStream_t stream;
    int device; /* of this process; CUDA's current device is a thread's own */
    pthread_mutex_t calls;
    bool gone;            /* under `calls`: it is being aborted */
    atomic_bool aborting; /* some thread has begun to, */
    atomic_bool aborted;  /* and it has come back, */
    ncclResult_t result;  /* with this */
} Nccl;

/* ST_LOST where the other side of a connection is gone. */
static Status nccl_fail(const Nccl *nccl, ncclResult_t result, const char *call, const char *file,
                        int line) {
    const char *detail = ncclGetLastError(nccl->comm);
    bool lost = result == ncclRemoteError || result == ncclSystemError;
    return status_fail(lost ? ST_LOST : ST_COMM, file, line,
                       "NCCL failed in %.*s: %s%s%s; NCCL_DEBUG=WARN tells more",
                       (int)strcspn(call, "("), call, ncclGetErrorString(result),
                       detail && detail[0] ? ": " : "", detail ? detail : "");
}

/* A call that has begun may go on in the background: `settle` waits for its end. */
#define TRY_NCCL(nccl, call)                                                                       \
    do {                                                                                           \
        ncclResult_t nccl_result_ = (call);                                                        \
        if (nccl_result_ != ncclSuccess && nccl_result_ != ncclInProgress)                         \
            return nccl_fail(nccl, nccl_result_, #call, __FILE__, __LINE__);                       \
    } while (0)

/* Before a call on the communicator; `leave_call` after it. */
static Status enter_call(Nccl *nccl) {
    pthread_mutex_lock(&nccl->calls);
    if (!nccl->gone)
        return ST_OK;
    pthread_mutex_unlock(&nccl->calls);
    return FAIL(ST_COMM, "NCCL's communicator was aborted: the run ends");
}

static Status leave_call(Nccl *nccl, Status status) {
    pthread_mutex_unlock(&nccl->calls);
    return status;
}

/* With `calls` held. */
static Status ask_state(const Nccl *nccl, bool *idle) {
    ncclResult_t state = ncclSuccess;
    TRY_NCCL(nccl, ncclCommGetAsyncError(nccl->comm, &state));
    *idle = state == ncclSuccess;
    if (state != ncclSuccess && state != ncclInProgress)
        return nccl_fail(nccl, state, "a collective call", __FILE__, __LINE__);
    return ST_OK;
}

/* Whether nothing is going on in the background; an error that came up there is a failure. */
static Status poll(Nccl *nccl, bool *idle) {
    TRY(enter_call(nccl));
    return leave_call(nccl, ask_state(nccl, idle));
}

/* Between two polls. */
static Status wait_on(Comm *comm, Pause *pause, int bucket) {
    double looked = pause->watched;
    comm_pause(comm, pause, bucket);
    if (pause->watched != looked && comm_sees_loss(comm))
        return FAIL(ST_LOST, "a rank was lost while the others waited for it in NCCL");
    return ST_OK;
}

static Status settle(Comm *comm, Nccl *nccl, int bucket) {
    Pause pause = {.start = clock_running()};
    for (;;) {
        bool idle;
        TRY(poll(nccl, &idle));
        if (idle)
            return ST_OK;
        TRY(wait_on(comm, &pause, bucket));
    }
}

/* A stream is done as well where an abort has ended what was on it: NCCL is asked after it. */
static Status wait_for_stream(Comm *comm, Nccl *nccl, int bucket) {
    Pause pause = {.start = clock_running()};
    for (;;) {
        bool idle;
        cudaError_t state = cudaStreamQuery(nccl->stream);
        if (state != cudaSuccess && state != cudaErrorNotReady)
            return cuda_check(state, "a sum over ranks", __FILE__, __LINE__);
        TRY(poll(nccl, &idle));
        if (state == cudaSuccess)
            return ST_OK;
        TRY(wait_on(comm, &pause, bucket));
    }
}

static Status all_reduce(Nccl *nccl, void *data, int64_t count, ncclDataType_t type) {
    TRY_NCCL(nccl,
             ncclAllReduce(data, data, (size_t)count, type, ncclSum, nccl->comm, nccl->stream));
    return ST_OK;
}

static Status reduce(Comm *comm, Nccl *nccl, void *data, int64_t count, ncclDataType_t type,
                     int bucket) {
    TRY(enter_call(nccl));
    TRY(leave_call(nccl, all_reduce(nccl, data, count, type)));
    TRY(settle(comm, nccl, bucket));
    return wait_for_stream(comm, nccl, bucket);
}

/* NCCL may see that a peer is gone before MPI hears of it, who then would find nobody lost. Where
 * ranks cannot be lost the run ends. */
static Status after_loss(Comm *comm, Status status) {
    StatusRecord record;
    Pause pause = {.start = clock_running()};
    Deadline limit = deadline_after(MPI_HEARS_S);
    if (status != ST_LOST)
        return status;
    status_take(&record);
    while (comm_may_lose(comm) && !comm_sees_loss(comm) && !deadline_passed(&limit))
        comm_pause(comm, &pause, -1);
    record.status = comm_may_lose(comm) ? ST_LOST : ST_COMM;
    return status_put(&record);
}

static Status nccl_reduce(Comm *comm, void *state, void *data, int64_t count, DType dtype,
                          void *after, int bucket) {
    Nccl *nccl = state;
    ncclDataType_t type = dtype == DT_I64    ? ncclInt64
                          : dtype == DT_I32  ? ncclUint32 /* modulo 2^32 */
                          : dtype == DT_BF16 ? ncclBfloat16
                                             : ncclFloat32;
    TRY_CUDA(cudaSetDevice(nccl->device));
    if (after)
        TRY_CUDA(cudaStreamWaitEvent(nccl->stream, (cudaEvent_t)after, 0));
    return after_loss(comm, reduce(comm, nccl, data, count, type, bucket));
}

static void nccl_free(Nccl *nccl) {
    if (nccl->stream)
        cudaStreamDestroy(nccl->stream);
    pthread_mutex_destroy(&nccl->calls);
    free(nccl);
}

static Status finalize(Comm *comm, Nccl *nccl) {
    TRY_NCCL(nccl, ncclCommFinalize(nccl->comm));
    return settle(comm, nccl, -1);
}

static Status nccl_close(Comm *comm, void *state) {
    Nccl *nccl = state;
    TRY_CUDA(cudaSetDevice(nccl->device));
    TRY(after_loss(comm, finalize(comm, nccl)));
    TRY_NCCL(nccl, ncclCommDestroy(nccl->comm));
    nccl_free(nccl);
    return ST_OK;
}

static void *abort_main(void *context) {
    Nccl *nccl = context;
    cudaSetDevice(nccl->device);
    pthread_mutex_lock(&nccl->calls);
    nccl->gone = true;
    pthread_mutex_unlock(&nccl->calls);
    nccl->result = ncclCommAbort(nccl->comm);
    nccl->aborted = true;
    return NULL;
}

/* Whether it has come back in time. Once; then `nccl` must stay where it has not, for the thread
 * outlives the wait. */
static bool abort_in_time(Nccl *nccl) {
    pthread_t thread;
    if (atomic_exchange(&nccl->aborting, true) ||
        pthread_create(&thread, NULL, abort_main, nccl) != 0)
        return nccl->aborted;
    pthread_detach(thread);
    Deadline deadline = deadline_after(ABORT_S);
    while (!nccl->aborted && !deadline_passed(&deadline))
        clock_sleep(1e-3);
    return nccl->aborted;
}

/* The process is about to end. */
static void nccl_abort(void *state) {
    Nccl *nccl = state;
    if (nccl && nccl->comm)
        abort_in_time(nccl);
}

static Status nccl_leave(Comm *comm, void *state) {
    Nccl *nccl = state;
    if (nccl->comm && !abort_in_time(nccl))
        return FAIL(ST_DEADLINE,
                    "a rank was lost, and ncclCommAbort did not come back within %d s on %s: its "
                    "GPU cannot go on without that rank; start the run again, and it goes on from "
                    "its last checkpoint",
                    ABORT_S, comm_host(comm));
    if (nccl->result != ncclSuccess && nccl->result != ncclInProgress)
        return FAIL(ST_COMM, "NCCL failed in ncclCommAbort after a rank was lost: %s",
                    ncclGetErrorString(nccl->result));
    nccl_free(nccl);
    return ST_OK;
}

static const DataPlane plane = {
    .reduce = nccl_reduce, .close = nccl_close, .abort = nccl_abort, .leave = nccl_leave};

/* ---- opening ---- */

/* The device that is current here, and its "GPU-xxxxxxxx-..." name. */
static Status identify(Nccl *nccl, char uuid[UUID_TEXT_MAX]) {
    struct cudaDeviceProp properties;
    TRY_CUDA(cudaGetDevice(&nccl->device));
    TRY_CUDA(cudaGetDeviceProperties(&properties, nccl->device));
    const unsigned char *byte = (const unsigned char *)properties.uuid.bytes;
    int used = snprintf(uuid, UUID_TEXT_MAX, "GPU");
    for (int i = 0; i < 16; i++)
        used += snprintf(uuid + used, (size_t)(UUID_TEXT_MAX - used), "%s%02x",
                         i == 0 || i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", byte[i]);
    return ST_OK;
}

/* NCCL itself would fail too, late and without saying why. */
static Status check_own_gpu(const Comm *comm, const char (*uuids)[UUID_TEXT_MAX]) {
    int rank = comm_rank(comm);
    for (int r = 0; r < rank; r++)
        if (strcmp(uuids[r], uuids[rank]) == 0)
            return FAIL(ST_DEVICE,
                        "ranks %d and %d have the same GPU (%s on %s): start one rank for each "
                        "GPU, with `mpirun -np` no larger than their number, or sbatch "
                        "--gpus-per-node=N --ntasks-per-node=N",
                        r, rank, uuids[r], comm_host(comm));
    return ST_OK;
}

static Status compare_gpus(Comm *comm, const char *uuid) {
    char(*uuids)[UUID_TEXT_MAX] = calloc((size_t)comm_size(comm), sizeof *uuids);
    Status status = uuids ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(comm_allgather(comm, uuid, sizeof *uuids, uuids));
    TRY_DONE(comm_agree(comm, check_own_gpu(comm, (const char(*)[UUID_TEXT_MAX])uuids)));
done:
    free(uuids);
    return status;
}

static Status open_stream(Nccl *nccl) {
    int least, greatest;
    TRY_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    TRY_CUDA(cudaStreamCreateWithPriority(&nccl->stream, cudaStreamNonBlocking, greatest));
    return ST_OK;
}

static Status make_id(const Comm *comm, const Nccl *nccl, ncclUniqueId *id) {
    if (comm_rank(comm) == 0)
        TRY_NCCL(nccl, ncclGetUniqueId(id));
    return ST_OK;
}

/* Every rank begins before any waits, so a rank whose call fails leaves the others to the wait: the
 * agreement comes after both. */
static Status join(Comm *comm, Nccl *nccl, ncclUniqueId id) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    TRY_NCCL(nccl,
             ncclCommInitRankConfig(&nccl->comm, comm_size(comm), id, comm_rank(comm), &config));
    return settle(comm, nccl, -1);
}

static void name_library(Comm *comm) {
    int version = 0;
    char name[32];
    if (ncclGetVersion(&version) != ncclSuccess)
        return;
    snprintf(name, sizeof name, "NCCL %d.%d.%d", version / 10000, version / 100 % 100,
             version % 100);
    comm_name_data_plane(comm, name);
}

__attribute__((visibility("default"))) Status comm_open_nccl(Comm *comm) {
    char uuid[UUID_TEXT_MAX] = "";
    ncclUniqueId id = {0};
    if (comm_is_self(comm))
        return ST_OK;
    Nccl *nccl = calloc(1, sizeof *nccl);
    if (nccl)
        pthread_mutex_init(&nccl->calls, NULL); /* cannot fail on Linux */
    Status status = nccl ? identify(nccl, uuid) : FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(compare_gpus(comm, uuid));
    status = open_stream(nccl);
    if (status == ST_OK)
        status = make_id(comm, nccl, &id);
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(comm_bcast(comm, &id, sizeof id, 0));
    comm_set_data_plane(comm, &plane, nccl); /* from here on ending the run aborts NCCL */
    status = after_loss(comm, join(comm, nccl, id));
    if (status == ST_LOST) /* the communicator is left where ranks regroup */
        return status;
    if (status != ST_OK) /* the others wait in NCCL: no agreement can be had */
        comm_abort(comm, status);
    name_library(comm);
    return comm_agree(comm, ST_OK);
done:
    if (nccl)
        nccl_free(nccl);
    return status;
}
