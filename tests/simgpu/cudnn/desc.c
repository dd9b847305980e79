/* desc: descriptors and their attributes. */
#include "desc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x636e6e6465736372u

static __thread char last_error[800];
static SimCounter leaks = {.name = "cuDNN descriptors"}, handles = {.name = "cuDNN handles"};

cudnnStatus_t desc_status(cudnnStatus_t status, const char *text) {
    if (status != CUDNN_STATUS_SUCCESS)
        snprintf(last_error, sizeof last_error, "%s%s%s", text, real_used() ? ": " : "",
                 real_used() ? real_error() : "");
    return status;
}

void cudnnGetLastErrorString(char *text, size_t size) {
    snprintf(text, size, "%s", last_error);
    last_error[0] = '\0';
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
    static __thread char text[40];
    snprintf(text, sizeof text, "cuDNN status %d", (int)status);
    return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : text;
}

size_t cudnnGetVersion(void) {
    return CUDNN_VERSION;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    int device;
    if (cudaGetDevice(&device) != cudaSuccess)
        return desc_status(CUDNN_STATUS_NOT_INITIALIZED, "no device");
    *handle = calloc(1, sizeof **handle);
    if (!*handle)
        return CUDNN_STATUS_ALLOC_FAILED;
    sim_count(&handles, 1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    if (handle->destroyed)
        sim_report("cudnnDestroy: the handle is destroyed already");
    handle->destroyed = true; /* the struct stays, to recognise a later use */
    sim_count(&handles, -1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

size_t desc_type_bytes(cudnnBackendAttributeType_t type) {
    switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_FRACTION:
        return sizeof(cudnnFraction_t);
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    default:
        return 4;
    }
}

Descriptor *desc_of(cudnnBackendDescriptor_t handle) {
    Descriptor *d = (Descriptor *)handle;
    if (!d || d->magic != MAGIC || d->destroyed)
        sim_report("%p is not a cuDNN descriptor, or was destroyed", (void *)handle);
    return d;
}

const Attribute *desc_find(const Descriptor *d, int name) {
    for (const Attribute *a = d->attributes; a; a = a->next) {
        if ((int)a->name == name)
            return a;
    }
    return NULL;
}

const Attribute *desc_need(const Descriptor *d, int name, const char *what) {
    const Attribute *a = desc_find(d, name);
    if (!a)
        sim_report("descriptor of type %d: %s (attribute %d) is not set", (int)d->type, what, name);
    return a;
}

Descriptor *desc_link(const Descriptor *d, int name, const char *what) {
    const Attribute *a = desc_need(d, name, what);
    if (a->type != CUDNN_TYPE_BACKEND_DESCRIPTOR || a->count < 1)
        sim_report("descriptor of type %d: %s is not a descriptor", (int)d->type, what);
    Descriptor *to = desc_of(*(cudnnBackendDescriptor_t *)a->data);
    if (!to->finalized)
        sim_report("descriptor of type %d: %s was not finalized", (int)d->type, what);
    return to;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *out) {
    Descriptor *d = calloc(1, sizeof *d);
    if (!d)
        return CUDNN_STATUS_ALLOC_FAILED;
    d->magic = MAGIC;
    d->type = type;
    cudnnStatus_t status = real_used() ? real_create(d) : CUDNN_STATUS_SUCCESS;
    if (status != CUDNN_STATUS_SUCCESS) {
        free(d);
        return desc_status(status, "create");
    }
    sim_count(&leaks, 1);
    *out = (cudnnBackendDescriptor_t)d;
    return CUDNN_STATUS_SUCCESS;
}

/* The struct stays, to recognise a later use. */
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle) {
    if (!handle)
        return CUDNN_STATUS_SUCCESS;
    Descriptor *d = desc_of(handle);
    real_destroy(d);
    while (d->attributes) {
        Attribute *a = d->attributes;
        d->attributes = a->next;
        free(a->data);
        free(a);
    }
    d->destroyed = true;
    sim_count(&leaks, -1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void *values) {
    Descriptor *d = desc_of(handle);
    if (d->finalized)
        sim_report("attribute %d set after its descriptor (type %d) was finalized", (int)name,
                   (int)d->type);
    if (count < 0 || (count > 0 && !values))
        sim_report("attribute %d: %ld values at %p", (int)name, (long)count, values);
    Attribute *a = (Attribute *)desc_find(d, name);
    if (!a) {
        a = calloc(1, sizeof *a);
        if (!a)
            return CUDNN_STATUS_ALLOC_FAILED;
        a->next = d->attributes;
        d->attributes = a;
    }
    free(a->data);
    size_t bytes = (size_t)count * desc_type_bytes(type);
    a->name = name;
    a->type = type;
    a->count = count;
    a->data = calloc(1, bytes + 8);
    if (!a->data)
        return CUDNN_STATUS_ALLOC_FAILED;
    if (bytes > 0)
        memcpy(a->data, values, bytes);
    return real_used() ? desc_status(real_set(d, a), "set attribute") : CUDNN_STATUS_SUCCESS;
}
