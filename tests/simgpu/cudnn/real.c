/* real: NVIDIA's own library beside ours. It validates every descriptor and plans every graph,
 * which it can without a GPU where a descriptor of a device's properties takes the handle's place.
 *
 * $SIMGPU_REAL_CUDNN names the library, $SIMGPU_DEVICE_JSON a file with the device's properties. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desc.h"

static struct {
    pthread_once_t once;
    bool used;
    cudnnBackendDescriptor_t device;
    cudnnStatus_t (*create)(cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t *);
    cudnnStatus_t (*destroy)(cudnnBackendDescriptor_t);
    cudnnStatus_t (*finalize)(cudnnBackendDescriptor_t);
    cudnnStatus_t (*set)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t,
                         cudnnBackendAttributeType_t, int64_t, const void *);
    cudnnStatus_t (*get)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t,
                         cudnnBackendAttributeType_t, int64_t, int64_t *, void *);
    void (*error)(char *, size_t);
} real = {.once = PTHREAD_ONCE_INIT};

static void *symbol(void *library, const char *name) {
    void *at = dlsym(library, name);
    if (!at)
        sim_report("the real cuDNN lacks %s", name);
    return at;
}

static void make_device(void) {
    char text[8192];
    const char *path = getenv("SIMGPU_DEVICE_JSON");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        sim_report("SIMGPU_DEVICE_JSON names no file with a device's properties");
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    if (real.create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &real.device) ||
        real.set(real.device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                 (int64_t)length, text) ||
        real.finalize(real.device))
        sim_report("the real cuDNN refuses %s: %s", path, real_error());
}

static void start(void) {
    const char *path = getenv("SIMGPU_REAL_CUDNN");
    if (!path)
        return;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!library)
        sim_report("no real cuDNN: %s", dlerror());
    *(void **)&real.create = symbol(library, "cudnnBackendCreateDescriptor");
    *(void **)&real.destroy = symbol(library, "cudnnBackendDestroyDescriptor");
    *(void **)&real.finalize = symbol(library, "cudnnBackendFinalize");
    *(void **)&real.set = symbol(library, "cudnnBackendSetAttribute");
    *(void **)&real.get = symbol(library, "cudnnBackendGetAttribute");
    *(void **)&real.error = symbol(library, "cudnnGetLastErrorString");
    make_device();
    real.used = true;
}

bool real_used(void) {
    pthread_once(&real.once, start);
    return real.used;
}

const char *real_error(void) {
    static __thread char text[600];
    real.error(text, sizeof text);
    return text;
}

cudnnStatus_t real_create(Descriptor *d) {
    return real.create(d->type, &d->real);
}

void real_destroy(Descriptor *d) {
    if (d->real)
        real.destroy(d->real);
}

cudnnStatus_t real_set(Descriptor *d, const Attribute *a) {
    enum { LINKS_MAX = 64 };
    if (a->type == CUDNN_TYPE_HANDLE) /* the device's properties come in its place */
        return CUDNN_STATUS_SUCCESS;
    if (a->name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION) { /* its own part of it */
        const char *own = strstr(a->data, "\"real\": ");
        if (!own)
            return CUDNN_STATUS_BAD_PARAM;
        own += strlen("\"real\": ");
        return real.set(d->real, a->name, a->type, (int64_t)(strrchr(own, '}') - own), own);
    }
    if (a->type != CUDNN_TYPE_BACKEND_DESCRIPTOR)
        return real.set(d->real, a->name, a->type, a->count, a->data);
    cudnnBackendDescriptor_t links[LINKS_MAX];
    for (int64_t i = 0; i < a->count && i < LINKS_MAX; i++)
        links[i] = desc_of(((cudnnBackendDescriptor_t *)a->data)[i])->real;
    return real.set(d->real, a->name, a->type, a->count, links);
}

cudnnStatus_t real_finalize(Descriptor *d) {
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    if (d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
        status = real.set(d->real, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                          1, &real.device);
    if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
        status = real.set(d->real, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &real.device);
    return status ? status : real.finalize(d->real);
}

cudnnStatus_t real_get(Descriptor *d, cudnnBackendAttributeName_t name,
                       cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *data) {
    enum { LINKS_MAX = 64 };
    if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR)
        return real.get(d->real, name, type, room, count, data);
    cudnnBackendDescriptor_t links[LINKS_MAX] = {0};
    for (int64_t i = 0; i < room && i < LINKS_MAX; i++)
        links[i] = desc_of(((cudnnBackendDescriptor_t *)data)[i])->real;
    return real.get(d->real, name, type, room, count, room > 0 ? links : NULL);
}
