/* FINDS: race: .*all-reduce.* nothing orders them */
#include "ranks.h"

__global__ void fill(float *x, float value) {
    x[threadIdx.x] = value;
}

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclComm_t comm = join(id, rank);
    cudaStream_t work = new_stream(), sums = new_stream();
    cudaEvent_t filled = new_event();
    float *x = new_floats(32), host[32];
    fill<<<1, 32, 0, work>>>(x, rank + 1);
    CUDA(cudaEventRecord(filled, work));
    if (!planted)
        CUDA(cudaStreamWaitEvent(sums, filled, 0));
    NCCL(ncclAllReduce(x, x, 32, ncclFloat32, ncclSum, comm, sums));
    CUDA(cudaStreamSynchronize(sums));
    CUDA(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(planted || (host[0] == 3 && host[31] == 3));
    CUDA(cudaStreamSynchronize(work));
    NCCL(ncclCommDestroy(comm));
    CUDA(cudaFree(x));
    CUDA(cudaEventDestroy(filled));
    CUDA(cudaStreamDestroy(work));
    CUDA(cudaStreamDestroy(sums));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
