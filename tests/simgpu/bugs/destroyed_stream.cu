/* FINDS: is not a stream, or was destroyed */
#include "bug.h"

static int run(bool planted) {
    cudaStream_t stream = new_stream();
    if (planted)
        CUDA(cudaStreamDestroy(stream));
    CUDA(cudaStreamSynchronize(stream));
    CUDA(cudaStreamDestroy(stream));
    return 0;
}
