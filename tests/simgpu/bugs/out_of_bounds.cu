/* FINDS: add_one: load: out of bounds: \[400, 404\) of allocation 1, which has 400 bytes */
#include "bug.h"

__global__ void add_one(float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        x[i] += 1;
}

static int run(bool planted) {
    int n = 100;
    float *x = new_floats(n), host[100];
    add_one<<<4, 32>>>(x, planted ? n + 1 : n);
    CUDA(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(host[0] == 1 && host[99] == 1);
    CUDA(cudaFree(x));
    return 0;
}
