/* FINDS: leak: 1 allocations of device memory left at the end */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32);
    if (!planted)
        CUDA(cudaFree(x));
    return 0;
}
