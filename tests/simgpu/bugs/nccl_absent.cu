/* FINDS: collective 2 waits for rank 1, which has not called it */
#include "ranks.h"

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclComm_t comm = join(id, rank);
    cudaStream_t stream = new_stream();
    float *x = new_floats(32);
    for (int i = 0; i < (planted && rank == 1 ? 1 : 2); i++)
        NCCL(ncclAllReduce(x, x, 32, ncclFloat32, ncclSum, comm, stream));
    CUDA(cudaStreamSynchronize(stream));
    if (planted && rank == 1)
        sleep(20);
    NCCL(ncclCommDestroy(comm));
    CUDA(cudaFree(x));
    CUDA(cudaStreamDestroy(stream));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
