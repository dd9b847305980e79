/* device: devices, their properties, and errors.
 *
 * $SIMGPU_DEVICES   how many this process sees (8); 0: a machine whose driver finds none
 * $SIMGPU_FIRST     which of the host's the first of them is (0)
 * $SIMGPU_DRIVER    `none`: as without a driver, `old`: one older than the library; or the
 *                   version of CUDA that it says it can run
 * $SIMGPU_MEMORY    bytes of each device (8 GiB)
 * $SIMGPU_SM        their architecture (90)
 * $SIMGPU_SMS       multiprocessors of each device (132) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cudart.h"

static __thread int current;
static __thread cudaError_t last_error;

cudaError_t device_error(cudaError_t error) {
    if (error)
        last_error = error;
    return error;
}

size_t device_memory_limit(void) {
    const char *text = getenv("SIMGPU_MEMORY");
    return text ? strtoull(text, NULL, 10) : (size_t)8 << 30;
}

static cudaError_t count_devices(int *count) {
    const char *driver = getenv("SIMGPU_DRIVER"), *text = getenv("SIMGPU_DEVICES");
    *count = 0;
    if (driver && (!strcmp(driver, "none") || !strcmp(driver, "old")))
        return cudaErrorInsufficientDriver;
    *count = text ? atoi(text) : 8;
    return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t device_ready(void) {
    int count;
    cudaError_t error = count_devices(&count);
    if (!error)
        engine_start();
    return error;
}

int sim_device(void) {
    return current;
}

cudaError_t cudaGetDeviceCount(int *count) {
    return device_error(count_devices(count));
}

cudaError_t cudaSetDevice(int device) {
    int count;
    cudaError_t error = count_devices(&count);
    if (!error && (device < 0 || device >= count))
        error = cudaErrorInvalidDevice;
    if (!error)
        current = device;
    return device_error(error);
}

cudaError_t cudaGetDevice(int *device) {
    *device = current;
    return device_error(device_ready());
}

cudaError_t cudaDriverGetVersion(int *version) {
    const char *driver = getenv("SIMGPU_DRIVER");
    *version = !driver ? CUDART_VERSION : !strcmp(driver, "old") ? 11000 : atoi(driver);
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
    int count;
    cudaError_t error = count_devices(&count);
    if (!error && (device < 0 || device >= count))
        error = cudaErrorInvalidDevice;
    if (error)
        return device_error(error);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "Simulated GPU");
    memset(&p->uuid, 0x5a, sizeof p->uuid);
    p->pciBusID = device + (getenv("SIMGPU_FIRST") ? atoi(getenv("SIMGPU_FIRST")) : 0);
    p->uuid.bytes[15] = (char)p->pciBusID;
    p->major = getenv("SIMGPU_SM") ? atoi(getenv("SIMGPU_SM")) / 10 : 9;
    p->minor = getenv("SIMGPU_SM") ? atoi(getenv("SIMGPU_SM")) % 10 : 0;
    p->multiProcessorCount = getenv("SIMGPU_SMS") ? atoi(getenv("SIMGPU_SMS")) : 132;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->maxThreadsPerMultiProcessor = 2048;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->regsPerBlock = 65536;
    p->sharedMemPerBlock = 48 << 10;
    p->sharedMemPerBlockOptin = 227 << 10;
    p->sharedMemPerMultiprocessor = 228 << 10;
    p->totalGlobalMem = device_memory_limit();
    p->l2CacheSize = 50 << 20;
    p->memoryBusWidth = 5120;
    p->concurrentKernels = 1;
    p->asyncEngineCount = 3;
    p->unifiedAddressing = 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    struct cudaDeviceProp p;
    cudaError_t error = cudaGetDeviceProperties(&p, device);
    if (error)
        return error;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        *value = p.major;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = p.minor;
        return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        *value = p.multiProcessorCount;
        return cudaSuccess;
    case cudaDevAttrClockRate:
        *value = 1980000;
        return cudaSuccess;
    case cudaDevAttrMemoryClockRate:
        *value = 2619000;
        return cudaSuccess;
    default:
        sim_report("cudaDeviceGetAttribute: attribute %d is not simulated", (int)attribute);
    }
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int device) {
    snprintf(text, (size_t)size, "0000:%02X:00.0", device);
    return cudaSuccess;
}

cudaError_t cudaDeviceReset(void) {
    return cudaDeviceSynchronize();
}

cudaError_t cudaSetDeviceFlags(unsigned flags) {
    (void)flags;
    return device_error(device_ready());
}

cudaError_t cudaGetLastError(void) {
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void) {
    return last_error;
}

#define ERRORS(X)                                                                                  \
    X(cudaSuccess, "no error")                                                                     \
    X(cudaErrorInvalidValue, "invalid argument")                                                   \
    X(cudaErrorMemoryAllocation, "out of memory")                                                  \
    X(cudaErrorInvalidConfiguration, "invalid configuration argument")                             \
    X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version") \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                     \
    X(cudaErrorInvalidDevice, "invalid device ordinal")                                            \
    X(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device") \
    X(cudaErrorInvalidDeviceFunction, "invalid device function")                                   \
    X(cudaErrorNotReady, "device not ready")                                                       \
    X(cudaErrorInvalidResourceHandle, "invalid resource handle")                                   \
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state")             \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")       \
    X(cudaErrorStreamCaptureInvalidated,                                                           \
      "operation failed due to a previous error during capture")                                   \
    X(cudaErrorStreamCaptureUnmatched, "the capture was not begun in this stream")                 \
    X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work")                        \
    X(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream")  \
    X(cudaErrorCapturedEvent,                                                                      \
      "operation not permitted on an event last recorded in a capturing stream")

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define NAME(code, text)                                                                           \
    case code:                                                                                     \
        return #code;
        ERRORS(NAME)
    default:
        return "cudaError";
    }
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define TEXT(code, text)                                                                           \
    case code:                                                                                     \
        return text;
        ERRORS(TEXT)
    default:
        return "another error";
    }
}

cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *address) {
    int count, first = getenv("SIMGPU_FIRST") ? atoi(getenv("SIMGPU_FIRST")) : 0;
    unsigned domain, bus;
    cudaError_t error = count_devices(&count);
    if (!error && (sscanf(address, "%x:%x:", &domain, &bus) != 2 || domain != 0 ||
                   (int)bus < first || (int)bus >= first + count))
        error = cudaErrorInvalidDevice;
    if (!error)
        *device = (int)bus - first;
    return device_error(error);
}

/* $SIMGPU_NO_PEERS: no GPU may read another one's memory. */
cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer) {
    *can = device != peer && !getenv("SIMGPU_NO_PEERS");
    return cudaSuccess;
}
