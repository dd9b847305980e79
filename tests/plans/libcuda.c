/* plans/libcuda: the least of a CUDA driver with which cuDNN plans graphs without a GPU.
 *
 * cuDNN compiles some engines when a plan is finalized, and hands the code to the driver to see
 * what came out. This library, libcuda.so.1 for check_plans alone, accepts such code unread and can
 * do nothing else: whatever needs a device answers CUDA_ERROR_STUB_LIBRARY. It is no simulation,
 * and no program but check_plans may run on it. */
#include <stddef.h>
#include <string.h>

enum {
    SUCCESS = 0,
    STUB_LIBRARY = 34,     /* CUDA_ERROR_STUB_LIBRARY */
    DRIVER_VERSION = 13000 /* the CUDA version whose driver this stands for */
};

/* Handles are addresses in here: never read. */
static char handles[2];

static int unavailable(void) {
    return STUB_LIBRARY;
}

int cuInit(unsigned flags);
int cuInit(unsigned flags) {
    (void)flags;
    return STUB_LIBRARY;
}

int cuDriverGetVersion(int *version);
int cuDriverGetVersion(int *version) {
    *version = DRIVER_VERSION;
    return SUCCESS;
}

int cuLibraryLoadData(void **library, const void *code);
int cuLibraryLoadData(void **library, const void *code) {
    (void)code;
    *library = &handles[0];
    return SUCCESS;
}

int cuLibraryUnload(void *library);
int cuLibraryUnload(void *library) {
    (void)library;
    return SUCCESS;
}

int cuLibraryGetKernel(void **kernel, void *library, const char *name);
int cuLibraryGetKernel(void **kernel, void *library, const char *name) {
    (void)library, (void)name;
    *kernel = &handles[1];
    return SUCCESS;
}

int cuKernelGetAttribute(int *value, int attribute, void *kernel, int device);
int cuKernelGetAttribute(int *value, int attribute, void *kernel, int device) {
    (void)attribute, (void)kernel, (void)device;
    *value = 0;
    return SUCCESS;
}

int cuKernelSetAttribute(int attribute, int value, void *kernel, int device);
int cuKernelSetAttribute(int attribute, int value, void *kernel, int device) {
    (void)attribute, (void)value, (void)kernel, (void)device;
    return SUCCESS;
}

int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags,
                        int *found);

/* Of the calls above the address, of any other that of a refusal. */
int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags,
                        int *found) {
    static const struct {
        const char *name;
        void (*function)(void);
    } calls[] = {
        {"cuInit", (void (*)(void))cuInit},
        {"cuDriverGetVersion", (void (*)(void))cuDriverGetVersion},
        {"cuGetProcAddress", (void (*)(void))cuGetProcAddress_v2},
        {"cuLibraryLoadData", (void (*)(void))cuLibraryLoadData},
        {"cuLibraryUnload", (void (*)(void))cuLibraryUnload},
        {"cuLibraryGetKernel", (void (*)(void))cuLibraryGetKernel},
        {"cuKernelGetAttribute", (void (*)(void))cuKernelGetAttribute},
        {"cuKernelSetAttribute", (void (*)(void))cuKernelSetAttribute},
    };
    void (*address)(void) = (void (*)(void))unavailable;
    (void)version, (void)flags;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(name, calls[i].name) == 0)
            address = calls[i].function;
    }
    memcpy(function, &address, sizeof address);
    if (found)
        *found = 0; /* CU_GET_PROC_ADDRESS_SUCCESS */
    return SUCCESS;
}

/* cuDNN takes no driver that lacks one of these; none is called while it plans. */
#define REFUSE(name)                                                                               \
    int name(void);                                                                                \
    int name(void) {                                                                               \
        return unavailable();                                                                      \
    }
REFUSE(cuCtxGetCurrent)
REFUSE(cuCtxGetLimit)
REFUSE(cuCtxPopCurrent)
REFUSE(cuCtxPushCurrent)
REFUSE(cuDeviceGet)
REFUSE(cuDeviceGetCount)
REFUSE(cuGetErrorName)
REFUSE(cuGetErrorString)
REFUSE(cuLaunchCooperativeKernel)
REFUSE(cuLaunchKernel)
REFUSE(cuLaunchKernelEx)
REFUSE(cuLibraryLoadFromFile)
REFUSE(cuLinkAddData)
REFUSE(cuLinkComplete)
REFUSE(cuLinkCreate)
REFUSE(cuLinkDestroy)
REFUSE(cuOccupancyMaxPotentialClusterSize)
REFUSE(cuStreamGetCtx)
