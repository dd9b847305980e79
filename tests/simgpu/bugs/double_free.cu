/* FINDS: allocation 1 is freed twice */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32);
    CUDA(cudaFree(x));
    if (planted)
        CUDA(cudaFree(x));
    return 0;
}
