/* memory: device memory. One memfd is mapped twice: at the address that the program sees nobody may
 * touch it, so that host code that does is caught; at the alias the engine reads and writes.
 *
 * Addresses are never used twice, so that a stale pointer is always told from a new one. A shadow
 * byte for each byte says whether it was written; what was not reads as 0xff (NaN), for those
 * readers that cannot be checked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cudart.h"

#define HEAP_BYTES  (64ull << 30)
#define ALIGN       512 /* of cudaMalloc */
#define GUARD_BYTES 512 /* between allocations: a small overrun hits no neighbour */

enum { ALLOCATIONS_MAX = 1 << 16 };

static struct {
    int fd;
    uint8_t *seen;   /* PROT_NONE: the device addresses */
    uint8_t *alias;  /* the same memory for the engine */
    uint8_t *shadow; /* 1: written */
    size_t used;     /* addresses given out */
    size_t live;     /* bytes */
    Allocation allocation[ALLOCATIONS_MAX];
    int count;
} heap;

static SimCounter leaks = {.name = "allocations of device memory"};

static void *map(int fd, int protection, int flags) {
    void *at = mmap(NULL, HEAP_BYTES, protection, flags | MAP_NORESERVE, fd, 0);
    if (at == MAP_FAILED)
        sim_report("no %llu GiB of addresses: %s", HEAP_BYTES >> 30, strerror(errno));
    return at;
}

void memory_start(void) {
    heap.fd = memfd_create("simgpu", MFD_CLOEXEC);
    if (heap.fd < 0 || ftruncate(heap.fd, (off_t)HEAP_BYTES) != 0)
        sim_report("no memory file: %s", strerror(errno));
    heap.seen = map(heap.fd, PROT_NONE, MAP_SHARED);
    heap.alias = map(heap.fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    heap.shadow = map(-1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    heap.used = ALIGN; /* an offset of 0 is never valid */
}

bool sim_is_device(const void *at) {
    const uint8_t *p = at;
    return heap.seen && p >= heap.seen && p < heap.seen + HEAP_BYTES;
}

void *memory_alias(uintptr_t at) {
    return heap.alias + (at - (uintptr_t)heap.seen);
}

uint8_t *memory_shadow(uintptr_t at) {
    return heap.shadow + (at - (uintptr_t)heap.seen);
}

/* The allocation at or just before `at`: allocations are sorted by address. */
const Allocation *memory_find(uintptr_t at) {
    int low = 0, high = heap.count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (heap.allocation[middle].begin <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &heap.allocation[low - 1] : NULL;
}

void memory_describe(uintptr_t at, char *text, size_t size) {
    const Allocation *a = sim_is_device((void *)at) ? memory_find(at) : NULL;
    if (!a)
        snprintf(text, size, "no device memory");
    else
        snprintf(text, size, "byte %zu of allocation %d (%zu bytes%s)", (size_t)(at - a->begin),
                 a->number, a->bytes, a->live ? "" : ", freed");
}

void memory_check(SimOp *op, uintptr_t at, size_t n, const char *what) {
    const char *name = op ? op->name : "call";
    const Allocation *a = sim_is_device((void *)at) ? memory_find(at) : NULL;
    if (!a)
        sim_report("%s: %s: %p is not device memory (%zu bytes wanted)", name, what, (void *)at, n);
    size_t begin = at - a->begin;
    if (begin >= a->bytes || n > a->bytes - begin)
        sim_report("%s: %s: out of bounds: [%zu, %zu) of allocation %d, which has %zu bytes", name,
                   what, begin, begin + n, a->number, a->bytes);
    if (!a->live)
        sim_report("%s: %s: use after free: byte %zu of allocation %d", name, what, begin,
                   a->number);
}

void memory_check_written(SimOp *op, uintptr_t at, size_t n, const char *what) {
    const uint8_t *shadow = memory_shadow(at);
    const uint8_t *gap = memchr(shadow, 0, n);
    if (gap) {
        char where[100];
        memory_describe(at + (size_t)(gap - shadow), where, sizeof where);
        sim_report("%s: %s: uninitialised read: %s was never written", op ? op->name : "call", what,
                   where);
    }
}

void memory_mark_written(uintptr_t at, size_t n) {
    memset(memory_shadow(at), 1, n);
}

const void *sim_read(SimOp *op, const void *at, size_t bytes, const char *what) {
    if (bytes == 0)
        return NULL;
    memory_check(op, (uintptr_t)at, bytes, what);
    memory_check_written(op, (uintptr_t)at, bytes, what);
    race_note(op, (uintptr_t)at, bytes, false);
    return memory_alias((uintptr_t)at);
}

void *sim_write(SimOp *op, void *at, size_t bytes, const char *what) {
    if (bytes == 0)
        return NULL;
    memory_check(op, (uintptr_t)at, bytes, what);
    memory_mark_written((uintptr_t)at, bytes);
    race_note(op, (uintptr_t)at, bytes, true);
    return memory_alias((uintptr_t)at);
}

void sim_forget(SimOp *op, void *at, size_t bytes, const char *what) {
    void *memory = sim_write(op, at, bytes, what);
    if (memory) {
        memset(memory, 0xff, bytes);
        memset(memory_shadow((uintptr_t)at), 0, bytes);
    }
}

static cudaError_t allocate(void **out, size_t bytes) {
    size_t room = (bytes + GUARD_BYTES + ALIGN - 1) / ALIGN * ALIGN;
    if (heap.live + bytes > device_memory_limit() || heap.used + room > HEAP_BYTES)
        return cudaErrorMemoryAllocation;
    if (heap.count == ALLOCATIONS_MAX)
        sim_report("more than %d allocations", ALLOCATIONS_MAX);
    Allocation *a = &heap.allocation[heap.count++];
    *a = (Allocation){(uintptr_t)heap.seen + heap.used, bytes, true, heap.count};
    heap.used += room;
    heap.live += bytes;
    memset(memory_alias(a->begin), 0xff, bytes);
    sim_count(&leaks, 1);
    *out = (void *)a->begin;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
    cudaError_t error = device_ready();
    if (!error)
        error = capture_forbids("cudaMalloc");
    if (error)
        return device_error(error);
    *memory = NULL;
    if (bytes == 0)
        return cudaSuccess;
    sim_lock();
    error = allocate(memory, bytes);
    sim_unlock();
    return device_error(error);
}

/* Waits for all work, as the real one does. */
cudaError_t cudaFree(void *memory) {
    cudaError_t error = device_ready();
    if (!error)
        error = capture_forbids("cudaFree");
    if (error || !memory)
        return device_error(error);
    cudaDeviceSynchronize();
    sim_lock();
    Allocation *a = (Allocation *)memory_find((uintptr_t)memory);
    if (!sim_is_device(memory) || !a || a->begin != (uintptr_t)memory)
        sim_report("cudaFree(%p): not the start of an allocation", memory);
    if (!a->live)
        sim_report("cudaFree: allocation %d is freed twice", a->number);
    a->live = false;
    heap.live -= a->bytes;
    sim_count(&leaks, -1);
    size_t offset = a->begin - (uintptr_t)heap.seen, page = 4096;
    size_t first = (offset + page - 1) / page * page, last = (offset + a->bytes) / page * page;
    if (last > first) { /* the pages go back; a hole that cannot be made costs memory only */
        int ignored = fallocate(heap.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first,
                                (off_t)(last - first));
        (void)ignored;
    }
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
    cudaError_t error = device_ready();
    if (error)
        return device_error(error);
    sim_lock();
    *total = device_memory_limit();
    *available = *total - heap.live;
    sim_unlock();
    return cudaSuccess;
}
