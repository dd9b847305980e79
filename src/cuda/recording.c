/* cuda/recording: sequences of launches kept as CUDA graphs, so that one call runs them all. What
 * differs between lanes and steps is read from device memory, which lane_begin fills. */
#include <stdlib.h>
#include <string.h>

#include "cuda.h"

struct Recording {
    cudaGraphExec_t graph;
};

Status cuda_lane(Stream *stream, const LaneRun *run) {
    KernelRun now = {
        .seed = run->seed, .step = run->step, .loss_scale = run->loss_scale, .lane = run->lane};
    if (memcmp(&now, &stream->last, sizeof now) == 0)
        return ST_OK;
    stream->last = now;
    return cuda_upload(stream, stream->run, &now, sizeof now);
}

static Status begin(Stream *stream) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaStreamBeginCapture(stream->stream, cudaStreamCaptureModeThreadLocal));
    stream->recording = true;
    return ST_OK;
}

static Status end(Stream *stream, Recording **out) {
    cudaGraph_t graph = NULL;
    Status status = ST_OK;
    stream->recording = false;
    TRY_CUDA(cudaStreamEndCapture(stream->stream, &graph));
    Recording *recording = calloc(1, sizeof *recording);
    if (!recording) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    TRY_DONE(cuda_check(cudaGraphInstantiate(&recording->graph, graph, 0), "cudaGraphInstantiate",
                        __FILE__, __LINE__));
    *out = recording;
    recording = NULL;
done:
    free(recording);
    cudaGraphDestroy(graph);
    return status;
}

static Status replay(Stream *stream, Recording *recording) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaGraphLaunch(recording->graph, stream->stream));
    return ST_OK;
}

static void forget(Recording *recording) {
    if (!recording)
        return;
    cudaGraphExecDestroy(recording->graph);
    free(recording);
}

const RecordingOps cuda_recording = {
    .lane = cuda_lane, .begin = begin, .end = end, .replay = replay, .forget = forget};
