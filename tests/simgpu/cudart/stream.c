/* stream: the calls on streams and events. */
#include <sched.h>
#include <stdlib.h>

#include "cudart.h"

static SimCounter streams = {.name = "streams"}, events = {.name = "events"};

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority) {
    (void)priority;
    cudaError_t error = device_ready();
    if (error)
        return device_error(error);
    sim_lock();
    *out = engine_stream_new(flags != cudaStreamNonBlocking);
    sim_unlock();
    sim_count(&streams, 1);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
    return cudaStreamCreateWithPriority(out, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t *out) {
    return cudaStreamCreateWithPriority(out, cudaStreamDefault, 0);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}

/* Returns at once; what was enqueued still runs. */
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->capture)
        sim_report("cudaStreamDestroy: stream %d is being captured", stream->id);
    sim_force(stream->tail);
    stream->destroyed = true;
    sim_unlock();
    sim_count(&streams, -1);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    cudaError_t error = device_ready();
    if (error)
        return device_error(error);
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->capture)
        error = cudaErrorStreamCaptureUnsupported;
    else
        engine_host_wait(stream->last);
    sim_unlock();
    return device_error(error);
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    cudaError_t error = device_ready();
    if (error)
        return device_error(error);
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->capture) {
        error = cudaErrorStreamCaptureUnsupported;
    } else if (stream->last && !stream->last->done) {
        sim_force(stream->last);
        error = cudaErrorNotReady;
    } else {
        engine_host_saw(stream->last);
    }
    sim_unlock();
    if (error == cudaErrorNotReady) {
        sched_yield();
        return error; /* not kept as the last error: it is an answer */
    }
    return device_error(error);
}

cudaError_t cudaDeviceSynchronize(void) {
    cudaError_t error = device_ready();
    if (!error)
        error = capture_forbids("cudaDeviceSynchronize");
    if (error)
        return device_error(error);
    sim_lock();
    Stream *all[STREAMS_MAX];
    int count = engine_streams(all);
    for (int i = 0; i < count; i++)
        engine_host_wait(all[i]->last);
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags) {
    (void)flags;
    cudaError_t error = device_ready();
    if (error)
        return device_error(error);
    *out = calloc(1, sizeof **out);
    if (!*out)
        return device_error(cudaErrorMemoryAllocation);
    sim_count(&events, 1);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out) {
    return cudaEventCreateWithFlags(out, cudaEventDefault);
}

static void check_event(const Event *event) {
    if (!event || event->destroyed)
        sim_report("use of an event that was destroyed, or never created");
}

/* The struct stays: a later use must be recognised. */
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    check_event(event);
    event->destroyed = true;
    sim_count(&events, -1);
    return cudaSuccess;
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t handle, unsigned flags) {
    (void)flags;
    check_event(event);
    cudaError_t error = cudaSuccess;
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->capture) {
        error = capture_event_record(event, stream);
    } else {
        sim_tally("call", 0);
        event->op = engine_add(stream, "event record", engine_nothing, NULL, 0);
        event->capture = NULL;
    }
    sim_unlock();
    return device_error(error);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
    return cudaEventRecordWithFlags(event, handle, cudaEventRecordDefault);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned flags) {
    (void)flags;
    check_event(event);
    cudaError_t error = cudaSuccess;
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->capture || event->capture)
        error = capture_wait_event(stream, event);
    else if (event->op) { /* one that was never recorded is no obstacle */
        sim_tally("call", 0);
        engine_wait_for(engine_add(stream, "event wait", engine_nothing, NULL, 0), event->op);
    }
    sim_unlock();
    return device_error(error);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    check_event(event);
    cudaError_t error = cudaSuccess;
    sim_lock();
    if (event->capture)
        error = cudaErrorCapturedEvent;
    else
        engine_host_wait(event->op);
    sim_unlock();
    return device_error(error);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    check_event(event);
    cudaError_t error = cudaSuccess;
    sim_lock();
    if (event->capture) {
        error = cudaErrorCapturedEvent;
    } else if (event->op && !event->op->done) {
        sim_force(event->op);
        error = cudaErrorNotReady;
    } else {
        engine_host_saw(event->op);
    }
    sim_unlock();
    if (error == cudaErrorNotReady) {
        sched_yield();
        return error;
    }
    return device_error(error);
}

/* Simulated time, a microsecond a unit: it says nothing about a GPU. */
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
    check_event(start);
    check_event(end);
    cudaError_t error = cudaSuccess;
    sim_lock();
    if (!start->op || !end->op)
        error = cudaErrorInvalidResourceHandle;
    else if (!start->op->done || !end->op->done)
        error = cudaErrorNotReady;
    else
        *ms = (float)(end->op->done_at - start->op->done_at) * 1e-3f;
    sim_unlock();
    return device_error(error);
}

typedef struct HostCall {
    cudaHostFn_t call;
    void *data;
} HostCall;

static SimTurn run_host_call(SimOp *op, void *arg) {
    (void)op;
    HostCall *host = arg;
    host->call(host->data);
    return SIM_DONE;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t call, void *data) {
    HostCall host = {call, data};
    sim_lock();
    sim_enqueue(stream, "host function", run_host_call, &host, sizeof host);
    sim_unlock();
    return cudaSuccess;
}
