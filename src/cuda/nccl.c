/* cuda/nccl: the data plane (data_plane.h) over NCCL, for buckets in GPU memory.
 *
 * MPI stays the control plane: it carries NCCL's unique id and the agreement that every rank has
 * joined. The communicator is non-blocking, so no call of NCCL can hang this process: each is
 * polled with comm_pause, which has the deadline and answer other ranks. Sums run on a
 * stream of their own, of the highest priority, behind the event that completes a bucket; the
 * reducer's thread returns when one is done, and backward goes on meanwhile.
 *
 * When a run ends badly the communicator is aborted first, so that kernels that wait for a lost
 * peer leave the GPU; by a thread that is given ABORT_S seconds, for the abort can hang itself. */
#include "check.h"

#include <nccl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/data_plane.h"

enum { ABORT_S = 5, UUID_TEXT_MAX = 48 };

typedef struct Nccl {
    ncclComm_t comm; /* NULL until it is being made */
    cudaStream_t stream;
    int device; /* of this process; CUDA's current device is a thread's own */
    atomic_bool aborted;
} Nccl;

static Status nccl_fail(const Nccl *nccl, ncclResult_t result, const char *call, const char *file,
                        int line) {
    const char *detail = ncclGetLastError(nccl->comm);
    return status_fail(ST_COMM, file, line,
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

/* Whether nothing is going on in the background; an error that came up there is a failure. */
static Status poll(const Nccl *nccl, bool *idle) {
    ncclResult_t state = ncclSuccess;
    TRY_NCCL(nccl, ncclCommGetAsyncError(nccl->comm, &state));
    *idle = state == ncclSuccess;
    if (state != ncclSuccess && state != ncclInProgress)
        return nccl_fail(nccl, state, "a collective call", __FILE__, __LINE__);
    return ST_OK;
}

static Status settle(Comm *comm, const Nccl *nccl, int bucket) {
    Pause pause = {.start = clock_running()};
    for (;;) {
        bool idle;
        TRY(poll(nccl, &idle));
        if (idle)
            return ST_OK;
        comm_pause(comm, &pause, bucket);
    }
}

static Status wait_for_stream(Comm *comm, const Nccl *nccl, int bucket) {
    Pause pause = {.start = clock_running()};
    for (;;) {
        bool idle;
        cudaError_t state = cudaStreamQuery(nccl->stream);
        if (state == cudaSuccess)
            return ST_OK;
        if (state != cudaErrorNotReady)
            return cuda_check(state, "a sum over ranks", __FILE__, __LINE__);
        TRY(poll(nccl, &idle));
        comm_pause(comm, &pause, bucket);
    }
}

static Status nccl_reduce(Comm *comm, void *state, void *data, int64_t count, DType dtype,
                          void *after, int bucket) {
    const Nccl *nccl = state;
    ncclDataType_t type = dtype == DT_I64    ? ncclInt64
                          : dtype == DT_I32  ? ncclUint32 /* modulo 2^32 */
                          : dtype == DT_BF16 ? ncclBfloat16
                                             : ncclFloat32;
    TRY_CUDA(cudaSetDevice(nccl->device));
    if (after)
        TRY_CUDA(cudaStreamWaitEvent(nccl->stream, (cudaEvent_t)after, 0));
    TRY_NCCL(nccl,
             ncclAllReduce(data, data, (size_t)count, type, ncclSum, nccl->comm, nccl->stream));
    TRY(settle(comm, nccl, bucket));
    return wait_for_stream(comm, nccl, bucket);
}

static void nccl_free(Nccl *nccl) {
    if (nccl->stream)
        cudaStreamDestroy(nccl->stream);
    free(nccl);
}

static Status nccl_close(Comm *comm, void *state) {
    Nccl *nccl = state;
    TRY_CUDA(cudaSetDevice(nccl->device));
    TRY_NCCL(nccl, ncclCommFinalize(nccl->comm));
    TRY(settle(comm, nccl, -1));
    TRY_NCCL(nccl, ncclCommDestroy(nccl->comm));
    nccl_free(nccl);
    return ST_OK;
}

static void *abort_main(void *context) {
    Nccl *nccl = context;
    cudaSetDevice(nccl->device);
    ncclCommAbort(nccl->comm);
    nccl->aborted = true;
    return NULL;
}

/* The memory of `nccl` stays: the thread may outlive the wait, and the process is about to end. */
static void nccl_abort(void *state) {
    Nccl *nccl = state;
    pthread_t thread;
    if (!nccl || !nccl->comm || pthread_create(&thread, NULL, abort_main, nccl) != 0)
        return;
    pthread_detach(thread);
    Deadline deadline = deadline_after(ABORT_S);
    while (!nccl->aborted && !deadline_passed(&deadline))
        clock_sleep(1e-3);
}

static const DataPlane plane = {.reduce = nccl_reduce, .close = nccl_close, .abort = nccl_abort};

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
    Status status = nccl ? identify(nccl, uuid) : FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(compare_gpus(comm, uuid));
    status = open_stream(nccl);
    if (status == ST_OK)
        status = make_id(comm, nccl, &id);
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(comm_bcast(comm, &id, sizeof id, 0));
    comm_set_data_plane(comm, &plane, nccl); /* from here on ending the run aborts NCCL */
    status = join(comm, nccl, id);
    if (status != ST_OK) /* the others wait in NCCL: no agreement can be had */
        comm_abort(comm, status);
    name_library(comm);
    return comm_agree(comm, ST_OK);
done:
    if (nccl)
        nccl_free(nccl);
    return status;
}
