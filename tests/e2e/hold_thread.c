/* hold_thread: a library for LD_PRELOAD. A thread that gives itself the name $HOLD_THREAD gets no
 * further: it stands for a disk or a loader that does not answer. With $HOLD_READS_S it does, but
 * each of its reads takes so many seconds: a slow disk. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread bool slow;

ssize_t pread(int fd, void *to, size_t n, off_t at) {
    if (slow)
        usleep((useconds_t)(1e6 * atof(getenv("HOLD_READS_S"))));
    return ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, to, n, at);
}

int pthread_setname_np(pthread_t thread, const char *name) {
    const char *held = getenv("HOLD_THREAD");
    slow = held && strcmp(name, held) == 0 && getenv("HOLD_READS_S");
    while (!slow && held && strcmp(name, held) == 0)
        pause();
    return ((int (*)(pthread_t, const char *))dlsym(RTLD_NEXT, "pthread_setname_np"))(thread, name);
}
