/* cuda/stream: a GPU's memory, its streams, and copies through pinned memory. See cuda.h. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"

Status cuda_enter(const CudaDevice *device) {
    TRY_CUDA(cudaSetDevice(device->index));
    return ST_OK;
}

/* ---- Memory ---- */

Status cuda_alloc(Device *base, size_t bytes, void **memory) {
    CudaDevice *device = (CudaDevice *)base;
    size_t available = 0, total = 0;
    *memory = NULL;
    TRY(cuda_enter(device));
    bytes = bytes > 0 ? bytes : 1;
    cudaError_t result = cudaMalloc(memory, bytes);
    if (result == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* not sticky, but reported again otherwise */
        cudaMemGetInfo(&available, &total);
        return FAIL(ST_DEVICE,
                    "out of GPU memory: %zu MiB wanted, %zu of %zu MiB free; use fewer --threads, "
                    "a smaller --batch-size or more ranks",
                    bytes >> 20, available >> 20, total >> 20);
    }
    TRY_CUDA(result);
    TRY_CUDA(cudaMemset(*memory, 0, bytes));
    /* Our streams do not wait for the default one, on which that runs. */
    TRY_CUDA(cudaStreamSynchronize(cudaStreamLegacy));
    return ST_OK;
}

void cuda_release(Device *device, void *memory) {
    if (memory && cudaSetDevice(((CudaDevice *)device)->index) == cudaSuccess)
        cudaFree(memory);
}

/* ---- Streams ---- */

void cuda_stream_close(Stream *stream) {
    CudaDevice *device = stream->device;
    if (cudaSetDevice(device->index) == cudaSuccess) {
        if (stream->stream)
            cudaStreamSynchronize(stream->stream);
        if (stream->cudnn)
            cudnnDestroy(stream->cudnn);
        cuda_release(&device->base, stream->temp);
        cuda_release(&device->base, stream->run);
        cudaFreeHost(stream->staging);
        if (stream->stream)
            cudaStreamDestroy(stream->stream);
    }
    free(stream);
}

Status cuda_stream_open(Device *base, Stream **out) {
    CudaDevice *device = (CudaDevice *)base;
    Status status = ST_OK;
    Stream *stream = calloc(1, sizeof *stream);
    TRY_ALLOC(stream);
    stream->device = device;
    TRY_DONE(cuda_enter(device));
    TRY_DONE(cuda_check(cudaStreamCreateWithFlags(&stream->stream, cudaStreamNonBlocking),
                        "cudaStreamCreateWithFlags", __FILE__, __LINE__));
    TRY_DONE(cudnn_check(cudnnCreate(&stream->cudnn), "cudnnCreate", __FILE__, __LINE__));
    TRY_DONE(cudnn_check(cudnnSetStream(stream->cudnn, stream->stream), "cudnnSetStream", __FILE__,
                         __LINE__));
    TRY_DONE(cuda_check(cudaMallocHost((void **)&stream->staging, CUDA_STAGING_BYTES),
                        "cudaMallocHost", __FILE__, __LINE__));
    TRY_DONE(cuda_alloc(base, CUDA_TEMP_BYTES, &stream->temp));
    TRY_DONE(cuda_alloc(base, sizeof *stream->run, (void **)&stream->run));
    *out = stream;
    stream = NULL;
done:
    if (stream)
        cuda_stream_close(stream);
    return status;
}

/* Polls for a while, since most waits are short, then sleeps between looks. `event` NULL: for all
 * that is enqueued. */
static Status wait_for(Stream *stream, cudaEvent_t event, double seconds) {
    enum { POLLS = 2000 };
    const double nap = 20e-6;
    Deadline deadline = deadline_after(seconds);
    for (int64_t i = 0;; i++) {
        cudaError_t result = event ? cudaEventQuery(event) : cudaStreamQuery(stream->stream);
        if (result == cudaSuccess)
            return ST_OK;
        if (result != cudaErrorNotReady)
            return cuda_check(result, "work enqueued earlier", __FILE__, __LINE__);
        if (i < POLLS)
            continue;
        if (deadline_passed(&deadline))
            return FAIL(ST_DEADLINE, "the GPU did not finish its work within %.0f s", seconds);
        clock_sleep(nap);
    }
}

/* The first downloads, which are done, reach their places. */
static void deliver(Stream *stream, int copies) {
    for (int i = 0; i < copies; i++)
        memcpy(stream->pending[i].host, stream->pending[i].staged, stream->pending[i].bytes);
    stream->n_pending -= copies;
    memmove(stream->pending, stream->pending + copies,
            (size_t)stream->n_pending * sizeof *stream->pending);
    stream->copies_before = 0;
}

Status cuda_sync(Stream *stream, double seconds) {
    TRY(cuda_enter(stream->device));
    TRY(wait_for(stream, NULL, seconds));
    deliver(stream, stream->n_pending);
    stream->staging_used = stream->staged_before = 0;
    return ST_OK;
}

/* The ring is free again where nothing has come to it behind the mark. */
Status cuda_reach(Stream *stream, Mark *mark, double seconds) {
    TRY(cuda_enter(stream->device));
    TRY(wait_for(stream, (cudaEvent_t)mark, seconds));
    deliver(stream, stream->copies_before);
    if (stream->staging_used == stream->staged_before)
        stream->staging_used = stream->staged_before = 0;
    return ST_OK;
}

/* Room in the ring for at most `bytes`: *staged[*room]. Pieces start on pages of their own, so that
 * the host never writes a page that a copy still reads. */
static Status stage(Stream *stream, size_t bytes, char **staged, size_t *room) {
    enum { PAGE = 4096, WAIT_SECONDS = 300 };
    if (stream->staging_used == CUDA_STAGING_BYTES || stream->n_pending == PENDING_COPIES_MAX)
        TRY(cuda_sync(stream, WAIT_SECONDS));
    size_t left = CUDA_STAGING_BYTES - stream->staging_used;
    *room = bytes < left ? bytes : left;
    *staged = stream->staging + stream->staging_used;
    stream->staging_used += (*room + PAGE - 1) / PAGE * PAGE;
    return ST_OK;
}

Status cuda_upload(Stream *stream, void *device_memory, const void *host, size_t bytes) {
    TRY(cuda_enter(stream->device));
    for (size_t done = 0; done < bytes;) {
        char *staged;
        size_t room;
        TRY(stage(stream, bytes - done, &staged, &room));
        memcpy(staged, (const char *)host + done, room);
        TRY_CUDA(cudaMemcpyAsync((char *)device_memory + done, staged, room, cudaMemcpyHostToDevice,
                                 stream->stream));
        done += room;
    }
    return ST_OK;
}

Status cuda_download(Stream *stream, void *host, const void *device_memory, size_t bytes) {
    TRY(cuda_enter(stream->device));
    for (size_t done = 0; done < bytes;) {
        char *staged;
        size_t room;
        TRY(stage(stream, bytes - done, &staged, &room));
        TRY_CUDA(cudaMemcpyAsync(staged, (const char *)device_memory + done, room,
                                 cudaMemcpyDeviceToHost, stream->stream));
        stream->pending[stream->n_pending++] = (PendingCopy){(char *)host + done, staged, room};
        done += room;
    }
    return ST_OK;
}
