/* FINDS: shfl.sync waits for lanes ffff0000, which are not there */
#include "bug.h"

__global__ void sum(float *x, unsigned n) {
    if (threadIdx.x >= n)
        return;
    float s = x[threadIdx.x];
    for (int by = 16; by > 0; by /= 2)
        s += __shfl_xor_sync(0xffffffffu, s, by);
    x[threadIdx.x] = s;
}

static int run(bool planted) {
    float *x = new_floats(32), host[32];
    for (int i = 0; i < 32; i++)
        host[i] = i;
    CUDA(cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice));
    sum<<<1, 32>>>(x, planted ? 16 : 32);
    CUDA(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(host[0] == 496 && host[31] == 496);
    CUDA(cudaFree(x));
    return 0;
}
