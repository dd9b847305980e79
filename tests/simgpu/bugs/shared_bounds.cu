/* FINDS: out of bounds: shared memory \[256, 260\) of 256 bytes */
#include "bug.h"

__global__ void reverse(float *x, int n) {
    extern __shared__ float held[];
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = held[n - (int)threadIdx.x];
}

static int run(bool planted) {
    float *x = new_floats(64), host[64];
    for (int i = 0; i < 64; i++)
        host[i] = i;
    CUDA(cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice));
    reverse<<<1, 64, sizeof host>>>(x, planted ? 64 : 63);
    CUDA(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(host[0] == 63 && host[63] == 0);
    CUDA(cudaFree(x));
    return 0;
}
