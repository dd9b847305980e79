/* FINDS: race: .*(left|right).* nothing orders them */
#include "bug.h"

__global__ void left(float *x) {
    x[threadIdx.x] += 1;
}

__global__ void right(float *x) {
    x[threadIdx.x + 16] += 1;
}

static int run(bool planted) {
    float *x = new_floats(64), host[64];
    cudaStream_t a = new_stream(), b = new_stream();
    cudaEvent_t fork = new_event(), middle = new_event(), join = new_event();
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CUDA(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    CUDA(cudaEventRecord(fork, a));
    CUDA(cudaStreamWaitEvent(b, fork, 0));
    left<<<1, 32, 0, a>>>(x);
    CUDA(cudaEventRecord(middle, a));
    if (!planted)
        CUDA(cudaStreamWaitEvent(b, middle, 0));
    right<<<1, 32, 0, b>>>(x);
    CUDA(cudaEventRecord(join, b));
    CUDA(cudaStreamWaitEvent(a, join, 0));
    CUDA(cudaStreamEndCapture(a, &graph));
    CUDA(cudaGraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < 3; i++)
        CUDA(cudaGraphLaunch(exec, a));
    CUDA(cudaMemcpyAsync(host, x, sizeof host, cudaMemcpyDeviceToHost, a));
    EXPECT(host[0] == 3 && host[20] == 6 && host[40] == 3 && host[60] == 0);
    CUDA(cudaGraphExecDestroy(exec));
    CUDA(cudaGraphDestroy(graph));
    CUDA(cudaFree(x));
    CUDA(cudaEventDestroy(fork));
    CUDA(cudaEventDestroy(middle));
    CUDA(cudaEventDestroy(join));
    CUDA(cudaStreamDestroy(a));
    CUDA(cudaStreamDestroy(b));
    return 0;
}
