/* FINDS: race: .*(fill|twice).* both touch byte 0 of allocation 1 .* nothing orders them */
#include "bug.h"

__global__ void fill(float *x) {
    x[threadIdx.x] = threadIdx.x;
}

__global__ void twice(float *y, const float *x) {
    y[threadIdx.x] = 2 * x[threadIdx.x];
}

static int run(bool planted) {
    float *x = new_floats(64), *y = new_floats(64), host[64];
    cudaStream_t a = new_stream(), b = new_stream();
    cudaEvent_t filled = new_event();
    fill<<<1, 64, 0, a>>>(x);
    CUDA(cudaEventRecord(filled, a));
    if (!planted)
        CUDA(cudaStreamWaitEvent(b, filled, 0));
    twice<<<1, 64, 0, b>>>(y, x);
    CUDA(cudaStreamSynchronize(a));
    CUDA(cudaMemcpyAsync(host, y, sizeof host, cudaMemcpyDeviceToHost, b));
    EXPECT(host[63] == 126);
    CUDA(cudaFree(x));
    CUDA(cudaFree(y));
    CUDA(cudaEventDestroy(filled));
    CUDA(cudaStreamDestroy(a));
    CUDA(cudaStreamDestroy(b));
    return 0;
}
