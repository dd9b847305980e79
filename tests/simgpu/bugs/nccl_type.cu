/* FINDS: mismatched collective 2: rank [01] sums 8 elements of type [47] */
#include "ranks.h"

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclComm_t comm = join(id, rank);
    cudaStream_t stream = new_stream();
    float *x = new_floats(32);
    bool swapped = planted && rank == 1;
    NCCL(ncclAllReduce(x, x, 16, ncclFloat32, ncclSum, comm, stream));
    NCCL(ncclAllReduce(x, x, 8, swapped ? ncclInt64 : ncclFloat32, ncclSum, comm, stream));
    NCCL(ncclAllReduce(x, x, 8, swapped ? ncclFloat32 : ncclInt64, ncclSum, comm, stream));
    CUDA(cudaStreamSynchronize(stream));
    NCCL(ncclCommDestroy(comm));
    CUDA(cudaFree(x));
    CUDA(cudaStreamDestroy(stream));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
