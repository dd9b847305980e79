/* cuda_library: see cuda_library.h.
 *
 * The library stands beside the program, whose RUNPATH has $ORIGIN for it. It takes lockstep's own
 * functions (status, log, clock, comm) from the program, which exports them. */
#include "cuda_library.h"

#include <dlfcn.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/device.h"
#include "lockstep/file.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"

#define LIBRARY "liblockstep_cuda.so"

/* What the library calls in the program, so that the linker takes it along into every program. */
static const void *const called[] __attribute__((used)) = {
    (const void *)clock_now,       (const void *)clock_sleep,      (const void *)clock_running,
    (const void *)deadline_passed, (const void *)deadline_after,   (const void *)status_fail,
    (const void *)log_line,        (const void *)log_rank,         (const void *)file_open,
    (const void *)file_cause,      (const void *)file_open_stream, (const void *)hash_bytes,
    (const void *)hash_hex128};

/* What the loader's message says is missing: "libcudnn.so.9: cannot open shared object file: ..."
 */
static Status explain(const char *message) {
    size_t name = strcspn(message, ":");
    bool absent = strstr(message, "cannot open shared object file") != NULL;
    if (absent && strncmp(message, LIBRARY, name) == 0)
        return FAIL(ST_DEVICE,
                    "this build has no CUDA backend (%s is not beside the program): "
                    "build it with `make CUDA=1`, or use --device cpu",
                    LIBRARY);
    if (absent)
        return FAIL(ST_DEVICE,
                    "%.*s is not on this machine: install it, or name its folder in "
                    "LD_LIBRARY_PATH, or use --device cpu",
                    (int)name, message);
    return FAIL(ST_DEVICE, "the CUDA backend cannot be loaded: %s", message);
}

Status cuda_library_find(const char *symbol, void **function) {
    /* Lazily: a test program has not all the functions that a run needs. Once loaded it stays. */
    void *library = dlopen(LIBRARY, RTLD_LAZY);
    if (!library)
        return explain(dlerror());
    *function = dlsym(library, symbol);
    if (!*function)
        return FAIL(ST_DEVICE, "%s is of another version than this program: build both again",
                    LIBRARY);
    return ST_OK;
}

Status device_cuda_versions(CudaVersions *versions) {
    void (*ask)(CudaVersions *) = NULL;
    TRY(cuda_library_find("cuda_versions", (void **)&ask));
    ask(versions);
    return ST_OK;
}

bool device_cuda_reaches(const char *address) {
    bool (*ask)(const char *) = NULL;
    if (cuda_library_find("cuda_reaches", (void **)&ask) == ST_OK)
        return ask(address);
    status_clear();
    return false;
}

Status device_open_cuda(const DeviceOptions *options, Device **device) {
    Status (*open)(const DeviceOptions *, Device **) = NULL;
    TRY(cuda_library_find("cuda_open", (void **)&open));
    return open(options, device);
}
