/* FINDS: host code touched device memory: byte 16 of allocation 1 */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32);
    if (planted)
        ((volatile float *)x)[4] = 1;
    CUDA(cudaFree(x));
    return 0;
}
