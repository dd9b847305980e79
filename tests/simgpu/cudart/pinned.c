/* pinned: host memory that the device copies from and to directly. Between the call that enqueues a
 * copy and the moment the host knows that it is done, the host must not write the source nor touch
 * the destination: their pages are closed, and whoever touches those very bytes is reported. Bytes
 * beside them on a closed page are free to use: the page is opened for that one instruction.
 *
 * Pinned memory has two mappings, so that the engine can use closed pages. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cudart.h"

enum { BLOCKS_MAX = 4096, CLOSED_MAX = 4096, PAGE = 4096, TRAP_FLAG = 0x100 };

typedef struct Block {
    uintptr_t begin;
    size_t bytes, room;
    uint8_t *alias;
} Block;

typedef struct Closed {
    const SimOp *op;
    uintptr_t begin, end; /* bytes in use */
    bool host_may_read;
} Closed;

static struct {
    Block block[BLOCKS_MAX];
    int blocks;
    Closed closed[CLOSED_MAX];
    int n_closed;
    struct sigaction before;
} pinned;

static __thread uintptr_t opened; /* page that this thread uses for one instruction */

static SimCounter leaks = {.name = "allocations of pinned memory"};

static uintptr_t page_of(uintptr_t at) {
    return at & ~(uintptr_t)(PAGE - 1);
}

static void protect(uintptr_t begin, uintptr_t end, int protection) {
    uintptr_t first = page_of(begin);
    mprotect((void *)first, page_of(end + PAGE - 1) - first, protection);
}

static const Block *block_of(uintptr_t at) {
    for (int i = 0; i < pinned.blocks; i++) {
        if (at >= pinned.block[i].begin && at < pinned.block[i].begin + pinned.block[i].room)
            return &pinned.block[i];
    }
    return NULL;
}

/* The program touched memory that is closed to it. Takes no lock: the thread may hold it. */
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number;
    uintptr_t at = (uintptr_t)info->si_addr;
    if (sim_is_device(info->si_addr)) {
        char where[100];
        memory_describe(at, where, sizeof where);
        sim_report("host code touched device memory: %s", where);
    }
    for (int i = 0; i < pinned.n_closed; i++) {
        const Closed *c = &pinned.closed[i];
        if (at >= c->begin && at < c->end)
            sim_report(
                "host code touched byte %zu of pinned memory that an unfinished %s uses (%s)",
                (size_t)(at - c->begin), c->op->name,
                c->host_may_read ? "its source was written" : "nothing waited for the result");
    }
    if (block_of(at)) {
        protect(at, at + 1, PROT_READ | PROT_WRITE);
        opened = at;
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
        return;
    }
    sigaction(SIGSEGV, &pinned.before, NULL); /* not ours: it will fault again */
}

/* After the one instruction: closes the page again. */
static void on_trap(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    for (int i = 0; opened && i < pinned.n_closed; i++) {
        const Closed *c = &pinned.closed[i];
        if (page_of(opened) >= page_of(c->begin) && page_of(opened) < c->end)
            protect(opened, opened + 1, c->host_may_read ? PROT_READ : PROT_NONE);
    }
    opened = 0;
}

void pinned_start(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, &pinned.before);
    action.sa_sigaction = on_trap;
    sigaction(SIGTRAP, &action, NULL);
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags) {
    (void)flags;
    cudaError_t error = device_ready();
    if (!error)
        error = capture_forbids("cudaHostAlloc");
    if (error)
        return device_error(error);
    size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
    room = room > 0 ? room : PAGE;
    int fd = memfd_create("simgpu-pinned", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)room) != 0)
        sim_report("no pinned memory: %s", strerror(errno));
    void *seen = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *alias = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (seen == MAP_FAILED || alias == MAP_FAILED)
        sim_report("no pinned memory: %s", strerror(errno));
    memset(seen, 0xff, bytes);
    sim_lock();
    if (pinned.blocks == BLOCKS_MAX)
        sim_report("more than %d pinned allocations", BLOCKS_MAX);
    pinned.block[pinned.blocks++] = (Block){(uintptr_t)seen, bytes, room, alias};
    sim_unlock();
    sim_count(&leaks, 1);
    *out = seen;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, size_t bytes) {
    return cudaHostAlloc(out, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void *memory) {
    if (!memory)
        return cudaSuccess;
    cudaDeviceSynchronize();
    sim_lock();
    Block *block = (Block *)block_of((uintptr_t)memory);
    if (!block || block->begin != (uintptr_t)memory)
        sim_report("cudaFreeHost(%p): not the start of a pinned allocation", memory);
    munmap(memory, block->room);
    munmap(block->alias, block->room);
    *block = pinned.block[--pinned.blocks];
    sim_unlock();
    sim_count(&leaks, -1);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *memory, size_t bytes, unsigned flags) {
    (void)memory;
    (void)bytes;
    (void)flags;
    sim_report("cudaHostRegister is not simulated: pinned memory comes from cudaMallocHost");
}

void *pinned_alias(const void *at, size_t bytes) {
    const Block *block = block_of((uintptr_t)at);
    if (!block)
        return NULL;
    size_t offset = (uintptr_t)at - block->begin;
    if (offset > block->bytes || bytes > block->bytes - offset)
        sim_report("a copy of %zu bytes runs past a pinned allocation of %zu, from byte %zu", bytes,
                   block->bytes, offset);
    return block->alias + offset;
}

void pinned_close(SimOp *op, const void *at, size_t bytes, bool host_may_read) {
    if (!op || bytes == 0)
        return;
    if (pinned.n_closed == CLOSED_MAX)
        sim_report("more than %d copies of pinned memory that nothing waited for", CLOSED_MAX);
    uintptr_t begin = (uintptr_t)at;
    pinned.closed[pinned.n_closed++] = (Closed){op, begin, begin + bytes, host_may_read};
    protect(begin, begin + bytes, host_may_read ? PROT_READ : PROT_NONE);
}

void pinned_reopen(void) {
    int kept = 0;
    for (int i = 0; i < pinned.n_closed; i++) {
        Closed *c = &pinned.closed[i];
        if (c->op->done && engine_host_knows(c->op))
            protect(c->begin, c->end, PROT_READ | PROT_WRITE);
        else
            pinned.closed[kept++] = *c;
    }
    bool changed = kept != pinned.n_closed;
    pinned.n_closed = kept;
    for (int i = 0; changed && i < kept; i++) { /* some may share a page with one just opened */
        const Closed *c = &pinned.closed[i];
        protect(c->begin, c->end, c->host_may_read ? PROT_READ : PROT_NONE);
    }
}
