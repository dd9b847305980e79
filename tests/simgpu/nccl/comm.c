/* comm: communicators. Ranks meet in a shared-memory file named by the unique id. Non-blocking
 * initialisation goes on in the engine's thread, as NCCL's does in a thread of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "group.h"

static __thread char last_error[400];
static SimCounter leaks = {.name = "NCCL communicators"};

void comm_says(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
}

void comm_must_live(const struct ncclComm *comm, const char *call) {
    if (comm->gone)
        sim_report("%s: the communicator was %s before", call, comm->gone);
}

const char *ncclGetLastError(ncclComm_t comm) {
    if (comm)
        comm_must_live(comm, "ncclGetLastError");
    return last_error;
}

const char *ncclGetErrorString(ncclResult_t result) {
    static const char *const texts[] = {"no error",
                                        "unhandled cuda error",
                                        "unhandled system error",
                                        "internal error",
                                        "invalid argument",
                                        "invalid usage",
                                        "remote process exited or there was a network error",
                                        "NCCL operation in progress"};
    return (size_t)result < sizeof texts / sizeof *texts ? texts[result] : "unknown result code";
}

/* $SIMGPU_NCCL_VERSION: another one than that of the header. */
ncclResult_t ncclGetVersion(int *version) {
    const char *text = getenv("SIMGPU_NCCL_VERSION");
    *version = text ? atoi(text) : NCCL_VERSION_CODE;
    return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
    uint64_t random[2];
    memset(id, 0, sizeof *id);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return ncclSystemError;
    snprintf(id->internal, sizeof id->internal, "/simgpu-%016lx%016lx", (unsigned long)random[0],
             (unsigned long)random[1]);
    return ncclSuccess;
}

/* A killed process may linger as a zombie until its parent looks. */
static bool is_gone(pid_t pid) {
    char path[64], text[200] = "";
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return true;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *state = strrchr(text, ')');
    return state && state[1] && (state[2] == 'Z' || state[2] == 'X');
}

static void look_for_duplicates(struct ncclComm *comm) {
    const Member *me = &comm->group->member[comm->rank];
    for (int r = 0; r < comm->size; r++) {
        if (r != comm->rank && comm->group->member[r].device == me->device &&
            strcmp(comm->group->member[r].host, me->host) == 0) {
            comm_says("Duplicate GPU detected : rank %d and rank %d both on CUDA device %d",
                      comm->rank, r, me->device);
            comm->state = ncclInvalidUsage;
        }
    }
}

static void finish_joining(struct ncclComm *comm) {
    for (int r = 0; r < comm->size; r++) {
        if (!comm->group->member[r].joined)
            return;
    }
    comm->state = ncclSuccess;
    look_for_duplicates(comm);
    shm_unlink(comm->name);
}

/* $SIMGPU_LOST_PEER=silent: as over NVLink or shared memory, where kernels wait for it for ever. */
static bool is_told(void) {
    const char *text = getenv("SIMGPU_LOST_PEER");
    return !text || strcmp(text, "silent") != 0;
}

/* Every turn of the engine: joins, and runs what another rank waits for even under the lazy
 * schedule, as a GPU would. A lost peer shows as an asynchronous error, as over a network. */
static void poll(void *context) {
    struct ncclComm *comm = context;
    if (comm->state == ncclInProgress)
        finish_joining(comm);
    uint64_t wanted = 0;
    for (int r = 0; r < comm->size; r++) {
        const Member *member = &comm->group->member[r];
        uint64_t entered = member->entered;
        wanted = entered > wanted ? entered : wanted;
        if (comm->state == ncclSuccess && comm->done < comm->calls && r != comm->rank &&
            is_told() && is_gone(member->pid))
            comm->state = ncclRemoteError;
    }
    for (uint64_t i = comm->done + 1; i <= wanted && i <= comm->calls; i++)
        sim_force(comm->op[i % CALLS_KEPT]);
}

static Group *open_group(const char *name) {
    int fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(Group)) != 0) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    void *group = mmap(NULL, sizeof(Group), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return group == MAP_FAILED ? NULL : group;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
    int device;
    struct cudaDeviceProp properties;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaGetDeviceProperties(&properties, device) != cudaSuccess)
        return ncclUnhandledCudaError;
    if (rank < 0 || rank >= size || size > RANKS_MAX || strncmp(id.internal, "/simgpu-", 8)) {
        comm_says("rank %d of %d, or a unique id that ncclGetUniqueId did not make", rank, size);
        return ncclInvalidArgument;
    }
    struct ncclComm *comm = calloc(1, sizeof *comm);
    Group *group = comm ? open_group(id.internal) : NULL;
    if (!group) {
        free(comm);
        return ncclSystemError;
    }
    comm->group = group;
    comm->rank = rank;
    comm->size = size;
    comm->state = ncclInProgress;
    memcpy(comm->name, id.internal, sizeof comm->name);
    Member *me = &group->member[rank];
    if (me->joined)
        sim_report("rank %d joins the same communicator twice", rank);
    me->pid = getpid();
    me->device = properties.pciBusID; /* where processes see different ones too */
    const char *host = getenv("NCCL_HOSTID");
    snprintf(me->host, sizeof me->host, "%s", host ? host : "");
    me->joined = 1;
    sim_count(&leaks, 1);
    sim_lock();
    sim_poll(poll, comm);
    sim_unlock();
    *out = comm;
    if (config && config->blocking == 0)
        return ncclInProgress;
    while (comm->state == ncclInProgress)
        usleep(200);
    return comm->state;
}

ncclResult_t ncclCommInitRank(ncclComm_t *comm, int size, ncclUniqueId id, int rank) {
    return ncclCommInitRankConfig(comm, size, id, rank, NULL);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state) {
    comm_must_live(comm, "ncclCommGetAsyncError");
    *state = comm->state;
    return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int *count) {
    comm_must_live(comm, "ncclCommCount");
    *count = comm->size;
    return ncclSuccess;
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int *rank) {
    comm_must_live(comm, "ncclCommUserRank");
    *rank = comm->rank;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    comm_must_live(comm, "ncclCommFinalize");
    return comm->state;
}

static void leave(struct ncclComm *comm) {
    sim_lock();
    sim_unpoll(comm);
    sim_unlock();
    shm_unlink(comm->name); /* where joining never ended */
    sim_count(&leaks, -1);
}

/* The struct stays: ops of the engine may still look at it. */
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    comm_must_live(comm, "ncclCommDestroy");
    if (comm->done < comm->calls)
        sim_report("ncclCommDestroy: %lu collectives are not finished",
                   (unsigned long)(comm->calls - comm->done));
    leave(comm);
    comm->gone = "destroyed";
    return ncclSuccess;
}

/* $SIMGPU_ABORT_HANGS=RANK, or all: there it never comes back. */
static bool hangs(void) {
    const char *text = getenv("SIMGPU_ABORT_HANGS");
    return text && (strcmp(text, "all") == 0 || strcmp(text, sim_rank()) == 0);
}

/* What waits for other ranks ends, its buffers as they are; then nothing of it is left. */
ncclResult_t ncclCommAbort(ncclComm_t comm) {
    comm_must_live(comm, "ncclCommAbort");
    comm->gone = "aborted";
    while (hangs())
        pause();
    comm->aborted = true;
    sim_lock();
    for (uint64_t i = comm->done + 1; i <= comm->calls; i++)
        sim_force(comm->op[i % CALLS_KEPT]);
    sim_unlock();
    while (comm->done < comm->calls)
        usleep(200);
    leave(comm);
    return ncclSuccess;
}
