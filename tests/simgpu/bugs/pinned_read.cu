/* FINDS: host code touched byte 0 of pinned memory that an unfinished copy to the host uses */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32), *host;
    cudaStream_t stream = new_stream();
    CUDA(cudaMallocHost((void **)&host, 32 * sizeof *host));
    CUDA(cudaMemcpyAsync(host, x, 32 * sizeof *x, cudaMemcpyDeviceToHost, stream));
    if (!planted)
        CUDA(cudaStreamSynchronize(stream));
    EXPECT(*(volatile float *)host == 0);
    CUDA(cudaFreeHost(host));
    CUDA(cudaFree(x));
    CUDA(cudaStreamDestroy(stream));
    return 0;
}
