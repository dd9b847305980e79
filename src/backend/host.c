/* host: see host.h. */
#include "lockstep/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, CACHE_LINE = 64 };

Status host_accepts(const DeviceOptions *options, bool bf16) {
    if (options->precision == PRECISION_TF32)
        return FAIL(ST_USAGE, "--precision tf32: only a GPU computes in it; leave it out, or use "
                              "--device cuda");
    if (options->precision == PRECISION_BF16 && !bf16)
        return FAIL(ST_USAGE, "--precision bf16: --device ref computes in fp32 alone; leave it "
                              "out, or use --device cpu or cuda");
    if (options->autotune)
        return FAIL(ST_USAGE, "--autotune: only a GPU has engines to choose from; use --device "
                              "cuda, or leave it out");
    if (options->bf16_sums)
        return FAIL(ST_USAGE, "--reduction-type bf16: only sums over GPUs travel in another type "
                              "than fp32; leave it out, or use --device cuda");
    return ST_OK;
}

/* Large buffers ask for huge pages: activations are walked from end to end. They are zero where
 * nobody has written since they were given back, so that the thread that first needs a page has it
 * made, near its core, and pages that nobody needs never are. */
Status host_alloc(Device *device, size_t bytes, void **memory) {
    (void)device;
    size_t grain = bytes >= 2 * (size_t)HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
    size_t whole = (bytes + grain - 1) / grain * grain;
    *memory = aligned_alloc(grain, whole > 0 ? whole : grain);
    if (!*memory)
        return FAIL(ST_DEVICE, "out of memory: %zu MiB for one buffer", bytes >> 20);
    if (grain == HUGE_PAGE)
        madvise(*memory, whole, MADV_HUGEPAGE); /* a wish: refusal costs speed alone */
    if (grain != HUGE_PAGE || madvise(*memory, whole, MADV_DONTNEED) != 0)
        memset(*memory, 0, whole);
    return ST_OK;
}

void host_release(Device *device, void *memory) {
    (void)device;
    free(memory);
}

Status host_upload(Stream *stream, void *device_memory, const void *host, size_t bytes) {
    (void)stream;
    memcpy(device_memory, host, bytes);
    return ST_OK;
}

Status host_download(Stream *stream, void *host, const void *device_memory, size_t bytes) {
    (void)stream;
    memcpy(host, device_memory, bytes);
    return ST_OK;
}
