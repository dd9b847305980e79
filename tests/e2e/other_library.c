/* other_library: a library for LD_PRELOAD. oneDNN says that it is one patch release later. */
#include <dlfcn.h>
#include <dnnl.h>

const dnnl_version_t *dnnl_version(void) {
    static dnnl_version_t other;
    const dnnl_version_t *(*next)(void);
    *(void **)&next = dlsym(RTLD_NEXT, "dnnl_version");
    other = *next();
    other.patch++;
    return &other;
}
