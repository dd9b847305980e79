/* nccl_program: what tests/cuda/nccl.sh runs under mpirun, on GPUs or simulated ones. nccl_program
 * MODE, one of
 *
 *   sum     buckets of both types over many rounds, behind marks: the sums must be right
 *   share   every rank takes GPU 0: refused in one line
 *   absent  the last rank never joins a sum: the deadline speaks
 *   lost    the last rank is killed before a sum */
#include <cuda_runtime_api.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/comm.h"
#include "lockstep/log.h"

enum { COUNT = 5000, ROUNDS = 20, DEADLINE_S = 4 };

#define TRY_CUDA(call)                                                                             \
    do {                                                                                           \
        cudaError_t error_ = (call);                                                               \
        if (error_ != cudaSuccess)                                                                 \
            return FAIL(ST_DEVICE, "%s: %s", #call, cudaGetErrorString(error_));                   \
    } while (0)

typedef struct Buckets {
    int64_t *fixed, sent[COUNT], found[COUNT];
    float *real, sent_real[COUNT], found_real[COUNT];
    cudaStream_t stream;
    cudaEvent_t mark;
} Buckets;

static Buckets buckets;

static Status open_buckets(void) {
    TRY_CUDA(cudaMalloc((void **)&buckets.fixed, sizeof buckets.sent));
    TRY_CUDA(cudaMalloc((void **)&buckets.real, sizeof buckets.sent_real));
    TRY_CUDA(cudaStreamCreateWithFlags(&buckets.stream, cudaStreamNonBlocking));
    TRY_CUDA(cudaEventCreateWithFlags(&buckets.mark, cudaEventDisableTiming));
    return ST_OK;
}

static Status close_buckets(void) {
    TRY_CUDA(cudaFree(buckets.fixed));
    TRY_CUDA(cudaFree(buckets.real));
    TRY_CUDA(cudaEventDestroy(buckets.mark));
    TRY_CUDA(cudaStreamDestroy(buckets.stream));
    return ST_OK;
}

/* Rank r sends i + r and half of it; the copies are only behind the mark. */
static Status round_of_sums(Comm *comm, int round) {
    int64_t size = comm_size(comm), rank = comm_rank(comm);
    for (int64_t i = 0; i < COUNT; i++) {
        buckets.sent[i] = i * (round + 1) + rank;
        buckets.sent_real[i] = (float)buckets.sent[i] / 2;
    }
    TRY_CUDA(cudaMemcpyAsync(buckets.fixed, buckets.sent, sizeof buckets.sent,
                             cudaMemcpyHostToDevice, buckets.stream));
    TRY_CUDA(cudaMemcpyAsync(buckets.real, buckets.sent_real, sizeof buckets.sent_real,
                             cudaMemcpyHostToDevice, buckets.stream));
    TRY_CUDA(cudaEventRecord(buckets.mark, buckets.stream));
    TRY(comm_reduce(comm, buckets.fixed, COUNT, DT_I64, buckets.mark, round));
    TRY(comm_reduce(comm, buckets.real, COUNT, DT_F32, buckets.mark, round));
    TRY_CUDA(cudaMemcpyAsync(buckets.found, buckets.fixed, sizeof buckets.found,
                             cudaMemcpyDeviceToHost, buckets.stream));
    TRY_CUDA(cudaMemcpyAsync(buckets.found_real, buckets.real, sizeof buckets.found_real,
                             cudaMemcpyDeviceToHost, buckets.stream));
    TRY_CUDA(cudaStreamSynchronize(buckets.stream));
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t sum = size * i * (round + 1) + size * (size - 1) / 2;
        if (buckets.found[i] != sum || buckets.found_real[i] != (float)sum / 2)
            return FAIL(ST_INTERNAL,
                        "round %d: element %" PRId64 " is %" PRId64 " and %g, not %" PRId64, round,
                        i, buckets.found[i], (double)buckets.found_real[i], sum);
    }
    return ST_OK;
}

static Status run(Comm *comm, const char *mode) {
    bool last = comm_rank(comm) == comm_size(comm) - 1;
    int devices;
    TRY_CUDA(cudaGetDeviceCount(&devices));
    TRY_CUDA(cudaSetDevice(strcmp(mode, "share") == 0 ? 0 : comm_local_rank(comm) % devices));
    TRY(comm_open_nccl(comm));
    TRY(open_buckets());
    for (int round = 0; round < ROUNDS; round++) {
        comm_at(comm, round, STAGE_COMPUTE);
        if (last && round == 3 && strcmp(mode, "absent") == 0)
            clock_sleep(600);
        if (last && round == 3 && strcmp(mode, "lost") == 0)
            raise(SIGKILL);
        TRY(round_of_sums(comm, round));
    }
    return close_buckets();
}

int main(int argc, char **argv) {
    Comm *comm;
    if (argc != 2 || comm_open_mpi(&argc, &argv, DEADLINE_S, &comm) != ST_OK)
        return ST_USAGE;
    Status status = run(comm, argv[1]);
    if (status != ST_OK && status_message()[0])
        comm_abort(comm, status);
    if (status == ST_OK && comm_rank(comm) == 0)
        printf("sums of %d ranks are right (%s)\n", comm_size(comm), comm_library(comm));
    comm_close(comm);
    return (int)status;
}
