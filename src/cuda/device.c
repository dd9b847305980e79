/* cuda/device: the table of what a GPU does, and opening one. See cuda.h. */
#include "cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "lockstep/file.h"
#include "plan.h"
#include "plan_store.h"
#include "planning.h"
#include "tune.h"

static void cuda_close(Device *base) {
    CudaDevice *device = (CudaDevice *)base;
    tune_free(device->tune);
    plan_store_close(device->target.store);
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
    .marks = &cuda_marks, .terms = &cuda_terms, .images = &cuda_images,                            \
    .recording = &cuda_recording, .finish = &cuda_finish, .tuning = &cuda_tuning,                  \
    .planning = &cuda_planning, .to_fixed = cuda_to_fixed, .to_shifted = cuda_to_shifted,          \
    .widen = cuda_widen, .to_real = cuda_to_real, .norm = cuda_norm, .update = cuda_update,        \
    .lookahead = cuda_lookahead, .muon = cuda_muon, .layerwise = cuda_layerwise,                   \
    .convert = cuda_convert, .digest = cuda_digest, .copy = cuda_copy

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

static void set_options(CudaDevice *device, const DeviceOptions *options) {
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

/* That of the kernel's module, "580.95.05"; CUDA's own call tells but the CUDA that it supports. */
static void driver_version(char *text, size_t room) {
    FILE *file = file_open_stream("/sys/module/nvidia/version");
    snprintf(text, room, "unknown");
    if (!file)
        return;
    if (fgets(text, (int)room, file))
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
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
        return FAIL(
            ST_DEVICE,
            "%s is too old: sm_%d, this build has code for sm_%d and later; use --device cpu",
            properties.name, sm, CUDA_OLDEST_GPU);
    snprintf(device->base.description, sizeof device->base.description,
             "%.40s (sm_%d), CUDA %d.%d, cuDNN %zu.%zu.%zu, %s", properties.name, sm,
             runtime / 1000, runtime % 1000 / 10, cudnn / 10000, cudnn / 100 % 100, cudnn % 100,
             cuda_precision_name(device->precision));
    snprintf(device->base.address, sizeof device->base.address, "%08x:%02x:%02x.0",
             (unsigned)properties.pciDomainID, (unsigned)properties.pciBusID,
             (unsigned)properties.pciDeviceID);
    snprintf(device->base.instruction_set, sizeof device->base.instruction_set,
             "sm_%d x%d cudnn%zu", sm, properties.multiProcessorCount, cudnn);
    return ST_OK;
}

/* What a plan depends on besides its graph. */
static Status keep_plans(CudaDevice *device) {
    struct cudaDeviceProp properties;
    char about[512], compiler[COMPILER_TEXT_MAX], module[32];
    int driver = 0;
    size_t cudnn = cudnnGetVersion();
    TRY_CUDA(cudaGetDeviceProperties(&properties, device->index));
    TRY_CUDA(cudaDriverGetVersion(&driver));
    driver_version(module, sizeof module);
    compiler_name(compiler);
    snprintf(about, sizeof about,
             "%.64s, sm_%d%d x%d, %zu MiB, driver %s for CUDA %d.%d, cuDNN %zu.%zu.%zu, %.32s, %s, "
             "%s, workspace %zu MiB",
             properties.name, properties.major, properties.minor, properties.multiProcessorCount,
             properties.totalGlobalMem >> 20, module, driver / 1000, driver % 1000 / 10,
             cudnn / 10000, cudnn / 100 % 100, cudnn % 100, compiler,
             cuda_precision_name(device->precision), device->target.exact ? "exact" : "native",
             device->target.workspace_max >> 20);
    return plan_store_open(about, &device->target.store);
}

CUDA_SHOWN Status cuda_open(const DeviceOptions *options, Device **out) {
    int count = 0;
    Status status = ST_OK;
    TRY(count_devices(&count));
    CudaDevice *device = calloc(1, sizeof *device);
    TRY_ALLOC(device);
    device->base.ops = &device_ops;
    device->index = options->local_rank % count;
    device->speaks = options->local_rank == 0;
    set_options(device, options);
    TRY_DONE(cuda_enter(device));
    TRY_DONE(describe(device));
    compiler_load();
    TRY_DONE(keep_plans(device));
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

CUDA_SHOWN Status cuda_open_plans(const char *properties, const DeviceOptions *options,
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
    device->speaks = true;
    compiler_load();
    TRY_DONE(read_properties(properties, &device->target.device));
    *out = &device->base;
    device = NULL;
done:
    if (device)
        cuda_close(&device->base);
    return status;
}
