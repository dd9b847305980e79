/* group: the shared memory in which the ranks of one communicator meet, for the simulated libnccl.
 */
#ifndef SIMGPU_NCCL_GROUP_H
#define SIMGPU_NCCL_GROUP_H

#include <nccl.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "../sim.h"

enum { RANKS_MAX = 16, CALLS_KEPT = 1024, CHUNK_BYTES = 1 << 20 };

/* What one rank called: equal on all ranks, or a bug. */
typedef struct Call {
    uint64_t count;
    int type, op;
} Call;

typedef struct Member {
    _Atomic int joined;
    pid_t pid;
    int device;
    char host[64];              /* $NCCL_HOSTID: ranks of another one have GPUs of their own */
    _Atomic uint64_t entered;   /* calls that this rank waits in, or has been in */
    _Atomic uint64_t published; /* chunks that the others may read */
    _Atomic uint64_t consumed;  /* chunks that this rank has read of all others */
    Call call[CALLS_KEPT];      /* by number, from 1 */
} Member;

typedef struct Group {
    _Atomic int size;
    Member member[RANKS_MAX];
    uint8_t chunk[RANKS_MAX][CHUNK_BYTES];
} Group;

struct ncclComm {
    Group *group;
    int rank, size;
    char name[NCCL_UNIQUE_ID_BYTES]; /* of the shared memory */
    _Atomic ncclResult_t state;
    _Atomic bool aborted;
    const char *_Atomic gone; /* "destroyed", "aborted": no call may name it any more; else NULL */
    uint64_t calls;
    _Atomic uint64_t done;
    uint64_t chunks; /* of all calls so far */
    SimOp *op[CALLS_KEPT];
};

/* reduce.c: to[i] += from[i]; false for a type or operation that is not simulated. */
bool reduce_supports(ncclDataType_t type, ncclRedOp_t op);
size_t reduce_size(ncclDataType_t type);
const char *reduce_name(ncclDataType_t type); /* of the op: "all-reduce of float32" */
void reduce_add(void *to, const void *from, size_t count, ncclDataType_t type);

/* debug.c: at the first sum, when all ranks have joined. */
void debug_ways(const struct ncclComm *comm);

/* Reports a call on a communicator that is gone. */
void comm_must_live(const struct ncclComm *comm, const char *call);

/* The text of ncclGetLastError. */
void comm_says(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
