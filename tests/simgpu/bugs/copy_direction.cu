/* FINDS: the pointers are a copy to the host, the direction given is another */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32), host[32];
    CUDA(cudaMemcpy(host, x, sizeof host,
                    planted ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost));
    CUDA(cudaFree(x));
    return 0;
}
