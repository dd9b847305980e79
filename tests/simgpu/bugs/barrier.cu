/* FINDS: wait at a barrier that [0-9]+ never reach */
#include "bug.h"

__global__ void half_way(float *x, unsigned n) {
    if (threadIdx.x >= n)
        return;
    x[threadIdx.x] = 1;
    __syncthreads();
    x[threadIdx.x] += 1;
}

static int run(bool planted) {
    float *x = new_floats(64);
    half_way<<<1, 64>>>(x, planted ? 40 : 64);
    CUDA(cudaDeviceSynchronize());
    CUDA(cudaFree(x));
    return 0;
}
