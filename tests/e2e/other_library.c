/* other_library: a library for LD_PRELOAD. oneDNN says that it is one patch release later, or, with
 * OTHER_RUNTIME=N, that it was built for those threads (DNNL_RUNTIME_TBB is 4). */
#include <dlfcn.h>
#include <dnnl.h>
#include <stdlib.h>

const dnnl_version_t *dnnl_version(void) {
    static dnnl_version_t other;
    const dnnl_version_t *(*next)(void);
    const char *runtime = getenv("OTHER_RUNTIME");
    *(void **)&next = dlsym(RTLD_NEXT, "dnnl_version");
    other = *next();
    if (runtime)
        other.cpu_runtime = (unsigned)atoi(runtime);
    else
        other.patch++;
    return &other;
}
