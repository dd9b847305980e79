/* FINDS: copy to the device: destination: out of bounds: \[0, 132\) of allocation 1 */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32), host[64] = {0};
    size_t count = planted ? 33 : 32;
    CUDA(cudaMemcpy(x, host, count * sizeof *x, cudaMemcpyHostToDevice));
    CUDA(cudaFree(x));
    return 0;
}
