/* cuda/compiler: see compiler.h. */
#include "compiler.h"

#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1024, NAME_MAX_BYTES = 48 };

/* Of this process: what is loaded is. */
static struct {
    pthread_once_t once;
    void *nvrtc; /* NULL: not found */
    int major, minor;
    char folder[FILE_MAX]; /* of libnvrtc */
    bool builtins;         /* loaded */
} compiler = {.once = PTHREAD_ONCE_INIT};

/* The folder of a loaded library by one of its functions, "" where it has none. */
static void folder_of(void *function, char folder[FILE_MAX]) {
    Dl_info info;
    folder[0] = '\0';
    if (!dladdr(function, &info) || !info.dli_fname)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    if (slash)
        snprintf(folder, FILE_MAX, "%.*s", (int)(slash - info.dli_fname), info.dli_fname);
}

/* As in the wheels: beside cuDNN, or in the folder of another package beside cuDNN's. */
static void *open_beside_cudnn(const char *name) {
    char folder[FILE_MAX], path[FILE_MAX + 128], toolkit[32];
    snprintf(toolkit, sizeof toolkit, "/../../cu%d/lib", CUDART_VERSION / 1000);
    const char *const below[] = {"", "/../../cuda_nvrtc/lib", toolkit};
    void *library = NULL;
    folder_of((void *)cudnnGetVersion, folder);
    for (size_t i = 0; folder[0] && !library && i < sizeof below / sizeof *below; i++) {
        snprintf(path, sizeof path, "%s%s/%s", folder, below[i], name);
        library = dlopen(path, RTLD_NOW);
    }
    return library;
}

static void load_builtins(void) {
    char name[NAME_MAX_BYTES], path[FILE_MAX + NAME_MAX_BYTES];
    int (*version)(int *, int *) = NULL;
    *(void **)&version = dlsym(compiler.nvrtc, "nvrtcVersion");
    if (!version || version(&compiler.major, &compiler.minor) != 0)
        return;
    folder_of((void *)version, compiler.folder);
    snprintf(name, sizeof name, "libnvrtc-builtins.so.%d.%d", compiler.major, compiler.minor);
    snprintf(path, sizeof path, "%s/%s", compiler.folder, name);
    compiler.builtins = dlopen(path, RTLD_NOW) != NULL || dlopen(name, RTLD_NOW) != NULL;
}

/* The bare name is looked for in LD_LIBRARY_PATH, in the folders that this build took CUDA from,
 * and among the system's libraries. */
static void load(void) {
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "libnvrtc.so.%d", CUDART_VERSION / 1000);
    compiler.nvrtc = dlopen(name, RTLD_NOW);
    if (!compiler.nvrtc)
        compiler.nvrtc = open_beside_cudnn(name);
    if (compiler.nvrtc)
        load_builtins();
}

void compiler_load(void) {
    pthread_once(&compiler.once, load);
}

bool compiler_is_whole(void) {
    compiler_load();
    return compiler.builtins;
}

void compiler_name(char text[COMPILER_TEXT_MAX]) {
    compiler_load();
    if (compiler.nvrtc)
        snprintf(text, COMPILER_TEXT_MAX, "NVRTC %d.%d", compiler.major, compiler.minor);
    else
        snprintf(text, COMPILER_TEXT_MAX, "no NVRTC");
}

void compiler_advise(char text[COMPILER_TEXT_MAX]) {
    int cuda = CUDART_VERSION / 1000;
    compiler_load();
    if (!compiler.nvrtc)
        snprintf(text, COMPILER_TEXT_MAX,
                 "libnvrtc.so.%d is not found: install the toolkit's NVRTC or NVIDIA's wheel "
                 "nvidia-cuda-nvrtc, and name its folder in LD_LIBRARY_PATH",
                 cuda);
    else if (!compiler.builtins)
        snprintf(text, COMPILER_TEXT_MAX,
                 "libnvrtc-builtins.so.%d.%d is not beside libnvrtc.so.%d in %.256s: install NVRTC "
                 "whole, or name the folder of both in LD_LIBRARY_PATH",
                 compiler.major, compiler.minor, cuda, compiler.folder);
    else
        snprintf(text, COMPILER_TEXT_MAX,
                 "NVRTC %d.%d is there, in %.256s: is it of the CUDA %d that cuDNN was made for? "
                 "CUDNN_LOGLEVEL_DBG=2 CUDNN_LOGDEST_DBG=stderr has cuDNN say why",
                 compiler.major, compiler.minor, compiler.folder, cuda);
}
