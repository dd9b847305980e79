/* FINDS: uninitialised read: byte [0-9]+ of shared memory was never written */
#include "bug.h"

__global__ void shift(float *x, int n) {
    __shared__ float held[65];
    held[threadIdx.x] = 1;
    if ((int)threadIdx.x < n)
        held[64] = 2;
    __syncthreads();
    x[threadIdx.x] = held[threadIdx.x + 1];
}

static int run(bool planted) {
    float *x = new_floats(64);
    shift<<<1, 64>>>(x, planted ? 0 : 1);
    CUDA(cudaDeviceSynchronize());
    CUDA(cudaFree(x));
    return 0;
}
