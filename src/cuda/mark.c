/* cuda/mark: order between streams. A Mark is a cudaEvent_t, which is a pointer as well, so that
 * NCCL's stream can wait for it too. */
#include "cuda.h"

Status cuda_mark_open(Device *device, Mark **mark) {
    cudaEvent_t event;
    TRY(cuda_enter((const CudaDevice *)device));
    TRY_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    *mark = (Mark *)event;
    return ST_OK;
}

/* A failure leaves an event to the end of the process: nothing can be done about it. */
void cuda_mark_close(Mark *mark) {
    cudaEventDestroy((cudaEvent_t)mark);
}

Status cuda_mark(Stream *stream, Mark *mark) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaEventRecord((cudaEvent_t)mark, stream->stream));
    return ST_OK;
}

Status cuda_wait(Stream *stream, Mark *mark) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaStreamWaitEvent(stream->stream, (cudaEvent_t)mark, 0));
    return ST_OK;
}
