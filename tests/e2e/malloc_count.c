/* malloc_count: an LD_PRELOAD library that counts calls of the allocator by who makes them: the
 * program's own text, or a library. At the end of each process it appends "own OWN libraries
 * OTHERS" to the file $MALLOC_COUNT_OUT. The caller is the return address, so what the C library
 * allocates for the program (fopen) counts as a library's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own names: no look-up that could itself allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

static uintptr_t text_begin, text_end; /* of the program */
static atomic_llong own, libraries;

static int find_text(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            text_begin = info->dlpi_addr + part->p_vaddr;
            text_end = text_begin + part->p_memsz;
        }
    }
    return 1; /* the first object is the program */
}

static __attribute__((constructor)) void begin(void) {
    dl_iterate_phdr(find_text, NULL);
}

static __attribute__((destructor)) void end(void) {
    const char *path = getenv("MALLOC_COUNT_OUT");
    FILE *out = path ? fopen(path, "a") : NULL;
    if (!out)
        return;
    fprintf(out, "own %" PRId64 " libraries %" PRId64 "\n", own, libraries);
    fclose(out);
}

static void count(const void *caller) {
    uintptr_t at = (uintptr_t)caller;
    atomic_fetch_add(at >= text_begin && at < text_end ? &own : &libraries, 1);
}

void *malloc(size_t size) {
    count(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    count(__builtin_return_address(0));
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    count(__builtin_return_address(0));
    return __libc_realloc(old, size);
}

void *memalign(size_t align, size_t size) {
    count(__builtin_return_address(0));
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size) {
    count(__builtin_return_address(0));
    return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
    count(__builtin_return_address(0));
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}
