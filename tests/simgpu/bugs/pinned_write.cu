/* FINDS: host code touched byte 4 of pinned memory that an unfinished copy to the device uses */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32), *host;
    cudaStream_t stream = new_stream();
    cudaEvent_t copied = new_event();
    CUDA(cudaMallocHost((void **)&host, 64 * sizeof *host));
    memset(host, 0, 64 * sizeof *host);
    CUDA(cudaMemcpyAsync(x, host, 32 * sizeof *x, cudaMemcpyHostToDevice, stream));
    CUDA(cudaEventRecord(copied, stream));
    ((volatile float *)host)[32] = 1; /* behind what is copied */
    if (!planted)
        CUDA(cudaEventSynchronize(copied));
    ((volatile float *)host)[1] = 1;
    CUDA(cudaStreamSynchronize(stream));
    CUDA(cudaFreeHost(host));
    CUDA(cudaFree(x));
    CUDA(cudaEventDestroy(copied));
    CUDA(cudaStreamDestroy(stream));
    return 0;
}
