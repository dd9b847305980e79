/* FINDS: collective 1 waits for rank 1, whose process is gone */
#include "ranks.h"

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclComm_t comm = join(id, rank);
    cudaStream_t stream = new_stream();
    float *x = new_floats(32);
    if (rank == 1)
        kill(getpid(), SIGKILL);
    NCCL(ncclAllReduce(x, x, 32, ncclFloat32, ncclSum, comm, stream));
    ncclResult_t state = ncclSuccess;
    while (!planted && state == ncclSuccess) { /* what a program must look at */
        cudaStreamQuery(stream);
        NCCL(ncclCommGetAsyncError(comm, &state));
    }
    if (!planted) {
        EXPECT(state == ncclRemoteError);
        NCCL(ncclCommAbort(comm));
    }
    CUDA(cudaStreamSynchronize(stream));
    CUDA(cudaFree(x));
    CUDA(cudaStreamDestroy(stream));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
