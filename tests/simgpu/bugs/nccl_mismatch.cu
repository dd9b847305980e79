/* FINDS: mismatched collective 1: rank [01] sums (100|101) elements of type 7 */
#include "ranks.h"

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclComm_t comm = join(id, rank);
    cudaStream_t stream = new_stream();
    float *x = new_floats(101);
    size_t count = planted && rank == 1 ? 101 : 100;
    NCCL(ncclAllReduce(x, x, count, ncclFloat32, ncclSum, comm, stream));
    CUDA(cudaStreamSynchronize(stream));
    NCCL(ncclCommDestroy(comm));
    CUDA(cudaFree(x));
    CUDA(cudaStreamDestroy(stream));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
