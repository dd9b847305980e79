/* nvml: what preflight asks of NVIDIA's management library, on simulated GPUs. Compiled by
 * preflight.sh alone.
 *
 *   $SIMGPU_OTHERS   processes that compute on each GPU beside those that ask (0)
 *   $SIMGPU_MIG      the GPUs are cut into parts */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
};

int nvmlInit_v2(void) {
    return 0;
}

int nvmlShutdown(void) {
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device) {
    static char first;
    *device = &first;
    return strncmp(address, "00000000:", 9) == 0 && strcmp(address + 11, ":00.0") == 0 ? 0 : 6;
}

int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending) {
    (void)device;
    *now = *pending = getenv("SIMGPU_MIG") != NULL;
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, struct process *list) {
    unsigned others = getenv("SIMGPU_OTHERS") ? (unsigned)atoi(getenv("SIMGPU_OTHERS")) : 0;
    (void)device;
    if (*count < others + 1)
        return 7;
    *count = others + 1;
    memset(list, 0, *count * sizeof *list);
    list[others].pid = (unsigned)getpid();
    return 0;
}
