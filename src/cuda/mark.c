/* cuda/mark: order between streams. A Mark is a cudaEvent_t, which is a pointer as well, so that
 * NCCL's stream can wait for it too. */
#include "cuda.h"

static Status open_mark(Device *device, Mark **mark) {
    cudaEvent_t event;
    TRY(cuda_enter((const CudaDevice *)device));
    TRY_CUDA(cudaEventCreate(&event));
    *mark = (Mark *)event;
    return ST_OK;
}

/* A failure leaves an event to the end of the process: nothing can be done about it. */
static void close_mark(Mark *mark) {
    cudaEventDestroy((cudaEvent_t)mark);
}

static Status set(Stream *stream, Mark *mark) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaEventRecord((cudaEvent_t)mark, stream->stream));
    stream->copies_before = stream->n_pending;
    stream->staged_before = stream->staging_used;
    return ST_OK;
}

static Status wait(Stream *stream, Mark *mark) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaStreamWaitEvent(stream->stream, (cudaEvent_t)mark, 0));
    return ST_OK;
}

static Status elapsed(const Mark *from, const Mark *to, double *seconds) {
    float ms = 0;
    TRY_CUDA(cudaEventElapsedTime(&ms, (cudaEvent_t)from, (cudaEvent_t)to));
    *seconds = 1e-3 * (double)ms;
    return ST_OK;
}

const MarkOps cuda_marks = {.open = open_mark,
                            .close = close_mark,
                            .set = set,
                            .wait = wait,
                            .elapsed = elapsed,
                            .reach = cuda_reach};
