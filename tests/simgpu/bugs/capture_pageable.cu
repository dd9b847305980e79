/* FINDS: pageable host memory in a capture */
#include "bug.h"

static int run(bool planted) {
    float *x = new_floats(32), *pinned, pageable[32] = {0};
    cudaStream_t stream = new_stream();
    cudaGraph_t graph;
    CUDA(cudaMallocHost((void **)&pinned, sizeof pageable));
    memset(pinned, 0, sizeof pageable);
    CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CUDA(cudaMemcpyAsync(x, planted ? pageable : pinned, sizeof pageable, cudaMemcpyHostToDevice,
                         stream));
    CUDA(cudaStreamEndCapture(stream, &graph));
    CUDA(cudaGraphDestroy(graph));
    CUDA(cudaFree(x));
    CUDA(cudaFreeHost(pinned));
    CUDA(cudaStreamDestroy(stream));
    return 0;
}
