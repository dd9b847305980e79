/* ranks: two ranks of a planted bug, made by fork before anything else. */
#ifndef SIMGPU_RANKS_H
#define SIMGPU_RANKS_H

#include <nccl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bug.h"

#define NCCL(call)                                                                                 \
    do {                                                                                           \
        ncclResult_t result_ = (call);                                                             \
        if (result_ != ncclSuccess) {                                                              \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, ncclGetErrorString(result_));       \
            exit(4);                                                                               \
        }                                                                                          \
    } while (0)

/* Runs `rank(number, planted, id)` in two processes; the exit code of the first that fails. */
static inline int two_ranks(void (*rank)(int, bool, ncclUniqueId), bool planted) {
    ncclUniqueId id;
    pid_t child[2];
    NCCL(ncclGetUniqueId(&id));
    for (int r = 0; r < 2; r++) {
        child[r] = fork();
        if (child[r] == 0) {
            setenv("PMIX_RANK", r ? "1" : "0", 1);
            CUDA(cudaSetDevice(r));
            rank(r, planted, id);
            exit(0);
        }
    }
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t pid = wait(&status);
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0; /* killed: planted */
        if (code && !failed) {
            failed = code;
            kill(pid == child[0] ? child[1] : child[0], SIGKILL);
        }
    }
    return failed;
}

static inline ncclComm_t join(ncclUniqueId id, int rank) {
    ncclComm_t comm;
    NCCL(ncclCommInitRank(&comm, 2, id, rank));
    return comm;
}

#endif
