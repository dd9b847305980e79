/* stop_after: a library for LD_PRELOAD that stops its process (SIGSTOP) once, right after it has
 * made a file durable or a symbolic link whose path contains $STOP_AFTER: between the work on a
 * temporary name and the rename, where a node that is cut off would do harm. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void stop_at(const char *path) {
    static atomic_bool stopped;
    const char *part = getenv("STOP_AFTER");
    int error = errno;
    if (part && strstr(path, part) && !atomic_exchange(&stopped, true))
        raise(SIGSTOP); /* to this thread, which so gets no further */
    errno = error;
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    char link[64], path[4096];
    int result = real(fd);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    stop_at(path);
    return result;
}

int symlink(const char *target, const char *path) {
    int (*real)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "symlink");
    int result = real(target, path);
    stop_at(path);
    return result;
}
