/* FINDS: misaligned load of 16 bytes */
#include "bug.h"

__global__ void first(float *y, const float4 *x) {
    *y = x->x + x->y + x->z + x->w;
}

static int run(bool planted) {
    float *x = new_floats(32), *y = new_floats(1);
    first<<<1, 1>>>(y, (const float4 *)(planted ? x + 1 : x));
    CUDA(cudaDeviceSynchronize());
    CUDA(cudaFree(x));
    CUDA(cudaFree(y));
    return 0;
}
