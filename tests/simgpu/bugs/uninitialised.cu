/* FINDS: sum: load: uninitialised read: byte 128 of allocation 1 .* was never written */
#include "bug.h"

__global__ void sum(float *total, const float *x, int n) {
    float s = 0;
    for (int i = 0; i < n; i++)
        s += x[i];
    *total = s;
}

static int run(bool planted) {
    float *x, *total, host;
    CUDA(cudaMalloc((void **)&x, 64 * sizeof *x));
    CUDA(cudaMalloc((void **)&total, sizeof *total));
    CUDA(cudaMemset(x, 0, (planted ? 32 : 64) * sizeof *x));
    sum<<<1, 1>>>(total, x, 64);
    CUDA(cudaMemcpy(&host, total, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(host == 0);
    CUDA(cudaFree(x));
    CUDA(cudaFree(total));
    return 0;
}
