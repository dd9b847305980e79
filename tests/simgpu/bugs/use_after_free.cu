/* FINDS: use after free: byte 0 of allocation 1 */
#include "bug.h"

__global__ void fill(float *x, int n) {
    if ((int)threadIdx.x < n)
        x[threadIdx.x] = 1;
}

static int run(bool planted) {
    float *x = new_floats(32);
    if (planted)
        CUDA(cudaFree(x));
    fill<<<1, 32>>>(x, 32);
    CUDA(cudaDeviceSynchronize());
    if (!planted)
        CUDA(cudaFree(x));
    return 0;
}
