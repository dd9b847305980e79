/* copy: cudaMemcpy and cudaMemset. Copies from pageable host memory take their bytes at once,
 * copies to it wait, as CUDA's do. */
#include <stdlib.h>
#include <string.h>

#include "cudart.h"

typedef struct Copy {
    void *to;
    const void *from;
    size_t bytes;
    bool staged;
    unsigned char stage[]; /* [bytes] if staged */
} Copy;

static const char *direction(bool from_device, bool to_device) {
    if (from_device)
        return to_device ? "copy on the device" : "copy to the host";
    return to_device ? "copy to the device" : "copy on the host";
}

/* Device to device passes on what was never written; everything else must have a value. */
static void copy_on_device(SimOp *op, const Copy *c) {
    uintptr_t from = (uintptr_t)c->from, to = (uintptr_t)c->to;
    memory_check(op, from, c->bytes, "source");
    memory_check(op, to, c->bytes, "destination");
    race_note(op, from, c->bytes, false);
    race_note(op, to, c->bytes, true);
    memmove(memory_alias(to), memory_alias(from), c->bytes);
    memmove(memory_shadow(to), memory_shadow(from), c->bytes);
}

static SimTurn run_copy(SimOp *op, void *arg) {
    Copy *c = arg;
    bool from_device = sim_is_device(c->from), to_device = sim_is_device(c->to);
    if (from_device && to_device) {
        copy_on_device(op, c);
        return SIM_DONE;
    }
    const void *from = c->staged     ? c->stage
                       : from_device ? sim_read(op, c->from, c->bytes, "source")
                                     : pinned_alias(c->from, c->bytes);
    void *to =
        to_device ? sim_write(op, c->to, c->bytes, "destination") : pinned_alias(c->to, c->bytes);
    memmove(to ? to : c->to, from ? from : c->from, c->bytes);
    return SIM_DONE;
}

static void check_direction(const void *to, const void *from, enum cudaMemcpyKind kind) {
    bool from_device = sim_is_device(from), to_device = sim_is_device(to);
    bool fits = kind == cudaMemcpyDefault ||
                (kind == cudaMemcpyHostToDevice && !from_device && to_device) ||
                (kind == cudaMemcpyDeviceToHost && from_device && !to_device) ||
                (kind == cudaMemcpyDeviceToDevice && from_device && to_device) ||
                (kind == cudaMemcpyHostToHost && !from_device && !to_device);
    if (!fits)
        sim_report("cudaMemcpy: the pointers are a %s, the direction given is another",
                   direction(from_device, to_device));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t handle) {
    cudaError_t error = device_ready();
    if (error || bytes == 0)
        return device_error(error);
    sim_lock();
    check_direction(to, from, kind);
    bool from_device = sim_is_device(from), to_device = sim_is_device(to);
    bool from_pinned = !from_device && pinned_alias(from, bytes) != NULL;
    bool to_pinned = !to_device && pinned_alias(to, bytes) != NULL;
    if (sim_capturing(handle) && ((!from_device && !from_pinned) || (!to_device && !to_pinned)))
        sim_report("cudaMemcpyAsync: pageable host memory in a capture");
    bool staged = !from_device && !from_pinned;
    size_t size = sizeof(Copy) + (staged ? bytes : 0);
    Copy *c = malloc(size);
    if (!c)
        sim_report("out of host memory");
    *c = (Copy){to, from, bytes, staged};
    if (staged)
        memcpy(c->stage, from, bytes);
    SimOp *op = sim_enqueue(handle, direction(from_device, to_device), run_copy, c, size);
    free(c);
    if (from_pinned)
        pinned_close(op, from, bytes, true);
    if (to_pinned)
        pinned_close(op, to, bytes, false);
    if (!to_device && !to_pinned)
        engine_host_wait(op);
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    cudaError_t error = capture_forbids("cudaMemcpy");
    if (!error)
        error = cudaMemcpyAsync(to, from, bytes, kind, NULL);
    return error ? device_error(error) : cudaStreamSynchronize(NULL);
}

typedef struct Fill {
    void *to;
    int value;
    size_t bytes;
} Fill;

static SimTurn run_fill(SimOp *op, void *arg) {
    Fill *f = arg;
    memset(sim_write(op, f->to, f->bytes, "destination"), f->value, f->bytes);
    return SIM_DONE;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t handle) {
    cudaError_t error = device_ready();
    if (error || bytes == 0)
        return device_error(error);
    Fill fill = {to, value, bytes};
    sim_lock();
    sim_enqueue(handle, "memset", run_fill, &fill, sizeof fill);
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaMemset(void *to, int value, size_t bytes) {
    cudaError_t error = capture_forbids("cudaMemset");
    return error ? device_error(error) : cudaMemsetAsync(to, value, bytes, NULL);
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *a, const void *at) {
    memset(a, 0, sizeof *a);
    sim_lock();
    if (sim_is_device(at)) {
        a->type = cudaMemoryTypeDevice;
        a->devicePointer = (void *)at;
    } else {
        a->type = pinned_alias(at, 0) ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
        a->hostPointer = (void *)at;
    }
    a->device = sim_device();
    sim_unlock();
    return cudaSuccess;
}
