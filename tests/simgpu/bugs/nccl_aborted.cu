/* FINDS: ncclCommGetAsyncError: the communicator was aborted before */
#include "ranks.h"

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclResult_t state;
    ncclComm_t comm = join(id, rank);
    cudaStream_t stream = new_stream();
    float *x = new_floats(32);
    if (rank == 1)
        kill(getpid(), SIGKILL);
    NCCL(ncclAllReduce(x, x, 32, ncclFloat32, ncclSum, comm, stream));
    NCCL(ncclCommGetAsyncError(comm, &state));
    NCCL(ncclCommAbort(comm));
    CUDA(cudaStreamSynchronize(stream)); /* what waits for rank 1 has left the GPU */
    if (planted)
        ncclCommGetAsyncError(comm, &state);
    CUDA(cudaFree(x));
    CUDA(cudaStreamDestroy(stream));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
