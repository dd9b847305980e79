/* FINDS: race in shared memory: two warps use byte [0-9]+ and no barrier is between them */
#include "bug.h"

__global__ void total(float *sum, const float *x, bool sync) {
    __shared__ float part[64];
    part[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if ((int)threadIdx.x < half)
            part[threadIdx.x] += part[threadIdx.x + half];
        if (sync)
            __syncthreads();
    }
    if (threadIdx.x == 63)
        *sum = part[0];
}

static int run(bool planted) {
    float *x = new_floats(64), *sum = new_floats(1), host;
    total<<<1, 64>>>(sum, x, !planted);
    CUDA(cudaMemcpy(&host, sum, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(host == 0);
    CUDA(cudaFree(x));
    CUDA(cudaFree(sum));
    return 0;
}
