/* launch: kernels. The program's constructors register its fat binaries and kernels; the plain PTX
 * in a fat binary (nvcc --compress-mode=none) is what runs, through the interpreter in ../ptx. */
#include <stdlib.h>
#include <string.h>

#include "../ptx/ptx.h"
#include "cudart.h"

enum { KERNELS_MAX = 1024, MODULES_MAX = 256, PENDING_MAX = 8, KIND_PTX = 1 };

typedef struct Kernel {
    const void *host; /* the address that launches name */
    const char *name;
    const PtxKernel *code; /* NULL: not in any PTX */
} Kernel;

/* The fat binary's layout, as nvcc writes it. */
typedef struct FatWrapper {
    int magic, version;
    const unsigned char *data;
} FatWrapper;
typedef struct FatHeader {
    uint32_t magic;
    uint16_t version, header_bytes;
    uint64_t bytes; /* of all entries */
} FatHeader;
typedef struct FatEntry {
    uint16_t kind, version;
    uint32_t header_bytes;
    uint64_t bytes;
} FatEntry;

static Kernel kernels[KERNELS_MAX];
static int n_kernels;

/* What a handle of a fat binary points to. */
static PtxModule modules[MODULES_MAX];
static int n_modules;

/* The first PTX that is plain text: all of one fat binary hold the same kernels. */
static const char *find_ptx(const unsigned char *data, char **text) {
    FatHeader header;
    memcpy(&header, data, sizeof header);
    const unsigned char *at = data + header.header_bytes, *end = at + header.bytes;
    while (at < end) {
        FatEntry entry;
        memcpy(&entry, at, sizeof entry);
        const char *body = (const char *)at + entry.header_bytes;
        if (entry.kind == KIND_PTX && memmem(body, entry.bytes, ".version", 8)) {
            *text = strndup(body, entry.bytes);
            return *text;
        }
        at += entry.header_bytes + entry.bytes;
    }
    return NULL;
}

void **__cudaRegisterFatBinary(void *wrapper) {
    char *text = NULL;
    const FatWrapper *fat = wrapper;
    if (!find_ptx(fat->data, &text))
        sim_report("a fat binary without plain PTX: build with nvcc --compress-mode=none");
    if (n_modules == MODULES_MAX)
        sim_report("more than %d fat binaries", MODULES_MAX);
    modules[n_modules] = ptx_load(text);
    free(text);
    return (void **)(void *)&modules[n_modules++];
}

void __cudaRegisterFatBinaryEnd(void **handle) {
    (void)handle;
}

void __cudaUnregisterFatBinary(void **handle) {
    (void)handle;
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                            int threads, void *tid, void *bid, void *block, void *grid, int *warp) {
    const PtxModule *module = (const PtxModule *)(const void *)handle;
    (void)device, (void)threads, (void)tid, (void)bid, (void)block, (void)grid, (void)warp;
    if (n_kernels == KERNELS_MAX)
        sim_report("more than %d kernels", KERNELS_MAX);
    kernels[n_kernels++] = (Kernel){host, name, ptx_find(*module, name)};
}

/* Constant tables come with the PTX; the host's shadow of them is not simulated. */
void __cudaRegisterVar(void **handle, char *host, char *address, const char *name, int external,
                       size_t size, int constant, int global) {
    (void)handle, (void)host, (void)address, (void)name;
    (void)external, (void)size, (void)constant, (void)global;
}

typedef struct Configuration {
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
} Configuration;

static __thread Configuration pending[PENDING_MAX];
static __thread int n_pending;

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
    if (n_pending == PENDING_MAX)
        return 1;
    pending[n_pending++] = (Configuration){grid, block, shared, stream};
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    if (n_pending == 0)
        return cudaErrorIllegalState;
    const Configuration *c = &pending[--n_pending];
    *grid = c->grid;
    *block = c->block;
    *shared = c->shared;
    memcpy(stream, &c->stream, sizeof c->stream);
    return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *host) {
    for (int i = 0; i < n_kernels; i++) {
        if (kernels[i].host == host) {
            *kernel = (cudaKernel_t)&kernels[i];
            return cudaSuccess;
        }
    }
    return device_error(cudaErrorInvalidDeviceFunction);
}

typedef struct Launch {
    const PtxKernel *code;
    PtxShape shape;
    unsigned char params[];
} Launch;

static SimTurn run_launch(SimOp *op, void *arg) {
    Launch *launch = arg;
    ptx_run(op, launch->code, &launch->shape, launch->params);
    return SIM_DONE;
}

static bool shape_fits(dim3 grid, dim3 block, size_t shared, size_t fixed) {
    return block.x > 0 && block.y > 0 && block.z > 0 && block.x <= 1024 && block.y <= 1024 &&
           block.z <= 64 && (size_t)block.x * block.y * block.z <= 1024 && grid.x > 0 &&
           grid.y > 0 && grid.z > 0 && grid.x <= 2147483647u && grid.y <= 65535 &&
           grid.z <= 65535 && shared + fixed <= (48 << 10);
}

cudaError_t __cudaLaunchKernel(cudaKernel_t handle, dim3 grid, dim3 block, void **args,
                               size_t shared, cudaStream_t stream) {
    const Kernel *kernel = (const Kernel *)handle;
    cudaError_t error = device_ready();
    if (!error && !kernel->code)
        error = cudaErrorNoKernelImageForDevice;
    if (!error && !shape_fits(grid, block, shared, ptx_shared_bytes(kernel->code)))
        error = cudaErrorInvalidConfiguration;
    if (error)
        return device_error(error);
    size_t bytes = sizeof(Launch) + ptx_param_bytes(kernel->code);
    Launch *launch = calloc(1, bytes);
    if (!launch)
        sim_report("out of host memory");
    launch->code = kernel->code;
    launch->shape = (PtxShape){{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared};
    ptx_pack_params(kernel->code, args, launch->params);
    sim_lock();
    sim_enqueue(stream, ptx_name(kernel->code), run_launch, launch, bytes);
    sim_unlock();
    free(launch);
    return cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void *host, dim3 grid, dim3 block, void **args, size_t shared,
                             cudaStream_t stream) {
    cudaKernel_t kernel;
    cudaError_t error = __cudaGetKernel(&kernel, host);
    return error ? error : __cudaLaunchKernel(kernel, grid, block, args, shared, stream);
}
