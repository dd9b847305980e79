/* cuda/device: opening a GPU, its memory and its streams. See cuda.h. */
#include "cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "plan.h"
#include "tune.h"

Status cuda_check(cudaError_t result, const char *what, const char *file, int line) {
    if (result == cudaSuccess)
        return ST_OK;
    return status_fail(ST_DEVICE, file, line, "CUDA: %s (%d), from %s", cudaGetErrorString(result),
                       (int)result, what);
}

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
                    "out of GPU memory: %zu MiB wanted, %zu of %zu MiB free; use a smaller "
                    "--batch-size or more ranks",
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

/* Polls for a while, since most waits are short, then sleeps between looks. */
static Status wait_for(Stream *stream, double seconds) {
    enum { POLLS = 2000 };
    const double nap = 20e-6;
    double start = clock_now();
    for (int64_t i = 0;; i++) {
        cudaError_t result = cudaStreamQuery(stream->stream);
        if (result == cudaSuccess)
            return ST_OK;
        if (result != cudaErrorNotReady)
            return cuda_check(result, "work enqueued earlier", __FILE__, __LINE__);
        if (i < POLLS)
            continue;
        if (clock_now() - start > seconds)
            return FAIL(ST_DEADLINE, "the GPU did not finish its work within %.0f s", seconds);
        clock_sleep(nap);
    }
}

Status cuda_sync(Stream *stream, double seconds) {
    TRY(cuda_enter(stream->device));
    TRY(wait_for(stream, seconds));
    for (int i = 0; i < stream->n_pending; i++)
        memcpy(stream->pending[i].host, stream->pending[i].staged, stream->pending[i].bytes);
    stream->n_pending = 0;
    stream->staging_used = 0;
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

/* ---- Opening ---- */

static void cuda_close(Device *base) {
    CudaDevice *device = (CudaDevice *)base;
    tune_free(device->target.tune);
    if (device->target.handle)
        cudnnDestroy(device->target.handle);
    if (device->target.device)
        cudnnBackendDestroyDescriptor(device->target.device);
    free(device);
}

#define CUDA_OPS                                                                                   \
    .name = "cuda", .close = cuda_close, .stream_open = cuda_stream_open,                          \
    .stream_close = cuda_stream_close, .sync = cuda_sync, .upload = cuda_upload,                   \
    .download = cuda_download, .upload_images = cuda_upload_images,                                \
    .write_tensor = cuda_write_tensor, .read_tensor = cuda_read_tensor, .layouts = cuda_layouts,   \
    .lane_begin = cuda_lane_begin, .record_begin = cuda_record_begin,                              \
    .record_end = cuda_record_end, .replay = cuda_replay, .forget = cuda_forget,                   \
    .load_images = cuda_load_images, .mark_open = cuda_mark_open, .mark_close = cuda_mark_close,   \
    .mark = cuda_mark, .wait = cuda_wait, .to_fixed = cuda_to_fixed, .to_real = cuda_to_real,      \
    .norm = cuda_norm, .update = cuda_update, .convert = cuda_convert, .digest = cuda_digest,      \
    .copy = cuda_copy, .tune = cuda_tune, .tuned = cuda_tuned

static const DeviceOps device_ops = {
    CUDA_OPS,
    .alloc = cuda_alloc,
    .release = cuda_release,
    .ops =
        {
#define LAYER(lower, UPPER) [LAYER_##UPPER] = &cuda_##lower,
#include "lockstep/layers.def"
#undef LAYER
        },
};

/* How many GPUs this process sees, or one sentence why none can be used. */
static Status count_devices(int *count) {
    int driver = 0, runtime = 0;
    cudaError_t result = cudaGetDeviceCount(count);
    if (result == cudaSuccess && *count > 0)
        return ST_OK;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (result == cudaErrorInsufficientDriver && driver == 0)
        return FAIL(ST_DEVICE, "no NVIDIA driver: this machine has no GPU, or its driver "
                               "(libcuda.so.1) is not installed; use --device cpu");
    if (result == cudaErrorInsufficientDriver)
        return FAIL(ST_DEVICE,
                    "the NVIDIA driver is too old: it supports CUDA %d.%d, this build needs %d.%d; "
                    "update the driver or use --device cpu",
                    driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (result == cudaErrorNoDevice || result == cudaSuccess)
        return FAIL(ST_DEVICE, "the NVIDIA driver sees no GPU: look at nvidia-smi and "
                               "CUDA_VISIBLE_DEVICES, or use --device cpu");
    return FAIL(ST_DEVICE, "no GPU can be used: %s (%d)", cudaGetErrorString(result), (int)result);
}

const char *cuda_precision_name(Precision precision) {
    return precision == PRECISION_BF16 ? "bf16" : precision == PRECISION_TF32 ? "tf32" : "fp32";
}

static void set_options(CudaDevice *device, const CudaOptions *options) {
    device->precision = options->precision;
    device->activation = options->precision == PRECISION_BF16 ? DT_BF16 : DT_F32;
    device->target.down_convert = options->precision != PRECISION_FP32;
    device->target.exact = options->exact;
    device->target.workspace_max = CUDA_WORKSPACE_MAX;
    device->base.real = DT_F32;
    device->base.accelerator = true;
    device->base.fuses_relu =
        1u << LAYER_CONV | 1u << LAYER_BN | 1u << LAYER_LINEAR | 1u << LAYER_ADD;
    device->base.fuses_add = 1u << LAYER_BN;
}

/* Names the GPU, as people call it and as ranks compare it. */
static Status describe(CudaDevice *device) {
    struct cudaDeviceProp properties;
    int runtime = 0, sm;
    size_t cudnn = cudnnGetVersion();
    TRY_CUDA(cudaGetDeviceProperties(&properties, device->index));
    TRY_CUDA(cudaRuntimeGetVersion(&runtime));
    sm = 10 * properties.major + properties.minor;
    if (sm < CUDA_OLDEST_GPU)
        return FAIL(ST_DEVICE, "%s is too old: sm_%d, this build has code for sm_%d and later",
                    properties.name, sm, CUDA_OLDEST_GPU);
    snprintf(device->base.description, sizeof device->base.description,
             "%.40s (sm_%d), CUDA %d.%d, cuDNN %zu.%zu.%zu, %s", properties.name, sm,
             runtime / 1000, runtime % 1000 / 10, cudnn / 10000, cudnn / 100 % 100, cudnn % 100,
             cuda_precision_name(device->precision));
    snprintf(device->base.instruction_set, sizeof device->base.instruction_set,
             "sm_%d x%d cudnn%zu", sm, properties.multiProcessorCount, cudnn);
    return ST_OK;
}

CUDA_SHOWN Status cuda_open(const CudaOptions *options, Device **out) {
    int count = 0;
    Status status = ST_OK;
    TRY(count_devices(&count));
    CudaDevice *device = calloc(1, sizeof *device);
    TRY_ALLOC(device);
    device->base.ops = &device_ops;
    device->index = options->local_rank % count;
    set_options(device, options);
    TRY_DONE(cuda_enter(device));
    TRY_DONE(describe(device));
    TRY_DONE(cudnn_check(cudnnCreate(&device->target.handle), "cudnnCreate", __FILE__, __LINE__));
    *out = &device->base;
    device = NULL;
done:
    if (device)
        cuda_close(&device->base);
    return status;
}

/* ---- Planning alone ---- */

static Status plans_alloc(Device *device, size_t bytes, void **memory) {
    (void)device;
    *memory = calloc(1, bytes > 0 ? bytes : 1);
    TRY_ALLOC(*memory);
    return ST_OK;
}

static void plans_release(Device *device, void *memory) {
    (void)device;
    free(memory);
}

static const DeviceOps plans_ops = {
    CUDA_OPS,
    .alloc = plans_alloc,
    .release = plans_release,
    .ops =
        {
#define LAYER(lower, UPPER) [LAYER_##UPPER] = &cuda_##lower,
#include "lockstep/layers.def"
#undef LAYER
        },
};

static Status read_properties(const char *json, cudnnBackendDescriptor_t *out) {
    TRY_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, out));
    TRY_CUDNN(cudnnBackendSetAttribute(*out, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                       CUDNN_TYPE_CHAR, (int64_t)strlen(json), json));
    TRY_CUDNN(cudnnBackendFinalize(*out));
    return ST_OK;
}

CUDA_SHOWN Status cuda_open_plans(const char *properties, const CudaOptions *options,
                                  void (*planned)(void *context, const char *name,
                                                  const Graph *graph),
                                  void *context, Device **out) {
    Status status = ST_OK;
    CudaDevice *device = calloc(1, sizeof *device);
    TRY_ALLOC(device);
    device->base.ops = &plans_ops;
    device->index = -1;
    set_options(device, options);
    device->target.planned = planned;
    device->target.context = context;
    TRY_DONE(read_properties(properties, &device->target.device));
    *out = &device->base;
    device = NULL;
done:
    if (device)
        cuda_close(&device->base);
    return status;
}
