/* limits: who else has a GPU, by NVIDIA's management library (NVML), which comes with the driver.
 * See limits.h. */
#include "limits.h"

#include <dlfcn.h>
#include <string.h>

/* As nvml.h has them, which need not be there to build. 0 is success. */
typedef struct NvmlDevice *nvmlDevice_t;
typedef struct NvmlProcess {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
} NvmlProcess;

typedef struct Nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*find)(const char *address, nvmlDevice_t *device);
    int (*mig)(nvmlDevice_t device, unsigned *now, unsigned *pending);
    int (*processes)(nvmlDevice_t device, unsigned *count, NvmlProcess *list);
} Nvml;

/* False where the library is another than is known here. */
static bool load(void *library, Nvml *nvml) {
    const struct {
        const char *name;
        void *at;
    } functions[] = {{"nvmlInit_v2", &nvml->init},
                     {"nvmlShutdown", &nvml->shutdown},
                     {"nvmlDeviceGetHandleByPciBusId_v2", &nvml->find},
                     {"nvmlDeviceGetMigMode", &nvml->mig},
                     {"nvmlDeviceGetComputeRunningProcesses_v3", &nvml->processes}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return false;
        memcpy(functions[i].at, &function, sizeof function);
    }
    return true;
}

static GpuSharing ask(const Nvml *nvml, const char *address) {
    enum { PROCESSES_MAX = 64 };
    GpuSharing sharing = {.others = -1};
    nvmlDevice_t device;
    NvmlProcess list[PROCESSES_MAX];
    unsigned now = 0, pending, count = PROCESSES_MAX;
    if (nvml->find(address, &device) != 0)
        return sharing;
    sharing.mig = nvml->mig(device, &now, &pending) == 0 && now == 1;
    /* This process is one of them: by which number, a container would not know. */
    if (nvml->processes(device, &count, list) == 0 && count > 0)
        sharing.others = (int)count - 1;
    return sharing;
}

GpuSharing limits_gpu(const char *address) {
    GpuSharing sharing = {.others = -1};
    Nvml nvml;
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return sharing;
    if (load(library, &nvml) && nvml.init() == 0) {
        sharing = ask(&nvml, address);
        nvml.shutdown();
    }
    dlclose(library);
    return sharing;
}
