/* swap_file: a library for LD_PRELOAD that puts a copy of $SWAP_WITH in the place of the file whose
 * path ends in $SWAP_PATH, right before the $SWAP_AT-th time that this process opens it: a file
 * that changes between a check and the use. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*Open)(const char *, int, ...);
typedef FILE *(*Fopen)(const char *, const char *);

static void swap_before(const char *path) {
    static atomic_int opened;
    const char *end = getenv("SWAP_PATH"), *with = getenv("SWAP_WITH"), *at = getenv("SWAP_AT");
    Open real = (Open)dlsym(RTLD_NEXT, "open");
    char temporary[4096], bytes[4096];
    ssize_t n;
    if (!end || strlen(path) < strlen(end) || strcmp(path + strlen(path) - strlen(end), end) != 0 ||
        access(path, F_OK) != 0 || atomic_fetch_add(&opened, 1) + 1 != atoi(at))
        return;
    snprintf(temporary, sizeof temporary, "%s.swap", path);
    int from = real(with, O_RDONLY), to = real(temporary, O_WRONLY | O_CREAT | O_EXCL, 0644);
    while ((n = read(from, bytes, sizeof bytes)) > 0 && write(to, bytes, (size_t)n) == n)
        ;
    if (n != 0 || close(from) != 0 || close(to) != 0 || rename(temporary, path) != 0)
        abort();
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int);
    va_end(list);
    swap_before(path);
    return ((Open)dlsym(RTLD_NEXT, "open"))(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int);
    va_end(list);
    swap_before(path);
    return ((Open)dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
    swap_before(path);
    return ((Fopen)dlsym(RTLD_NEXT, "fopen"))(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
    swap_before(path);
    return ((Fopen)dlsym(RTLD_NEXT, "fopen64"))(path, mode);
}
