/* FINDS: use of an event that was destroyed */
#include "bug.h"

static int run(bool planted) {
    cudaStream_t stream = new_stream();
    cudaEvent_t event = new_event();
    if (planted)
        CUDA(cudaEventDestroy(event));
    CUDA(cudaEventRecord(event, stream));
    CUDA(cudaStreamSynchronize(stream));
    CUDA(cudaEventDestroy(event));
    CUDA(cudaStreamDestroy(stream));
    return 0;
}
