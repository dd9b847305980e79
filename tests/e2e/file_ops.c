/* file_ops: a library for LD_PRELOAD that sees what its process does to files, and may disturb it.
 *
 *   FILE_OPS_UNDER=DIR   only this folder and files below it, by absolute path, are looked at
 *   FILE_OPS_LOG=FILE    gets a line for each operation that was done, in the order in which they
 *                        were done: "PID OP BYTES PATH" or "PID OP 0 PATH TO"; no path may have
 *                        spaces. OP: make (a file that was not there), truncate, write, read,
 *                        fsync, lock, rename, symlink, unlink, mkdir. A link that stands in for a
 *                        rename, and an unlink after it, are a rename.
 *   FILE_OPS_AT=OP:PART  disturbs the first OP on a path that contains PART, or, where PART ends
 *                        with $, ends with what stands before that:
 *   FILE_OPS_DO=stop       SIGSTOP to this process right after it (the default)
 *               half       write: half of the bytes, then SIGSTOP
 *               flip       read: one bit of what was read is wrong
 *               nolink     rename: the file system lacks RENAME_NOREPLACE (each time, not once)
 *               hang       open, read, write, fsync: it does not come back (each time) until the
 *                          file $FILE_OPS_GO is there; unless named, for ever, in a call on the
 * file
 *   FILE_OPS_LACKS=LIST  what the file system cannot do, each time: of "rename" (which replaces
 *                        nothing), "link", "symlink", "lock"; "room": none for a symbolic link;
 *                        "shared-lock": locks that other processes see, so each is had at once;
 *                        "beat": writing within a file `owner`
 *   FILE_OPS_BOOT=FILE   is read as the kernel's boot_id: this process is on a node of its own
 *
 * One lock is held over operation and line, so the lines' order is that of the operations. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { PATH_BYTES = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool disturbed;

static bool below(const char *path) {
    const char *under = getenv("FILE_OPS_UNDER");
    size_t length = under ? strlen(under) : 0;
    return under && strncmp(path, under, length) == 0 && (!path[length] || path[length] == '/');
}

static bool path_of(int fd, char path[PATH_BYTES]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_BYTES - 1);
    path[n > 0 ? n : 0] = '\0';
    return below(path);
}

static bool lacks(const char *what, const char *path, int error) {
    const char *list = getenv("FILE_OPS_LACKS");
    for (size_t length = strlen(what); list && below(path); list = strchr(list, ',')) {
        list += *list == ',';
        if (strncmp(list, what, length) == 0 && (!list[length] || list[length] == ',')) {
            errno = error;
            return true;
        }
    }
    return false;
}

/* Whether this is the operation to disturb, in this way. */
static bool chosen(const char *op, const char *path, const char *how) {
    const char *at = getenv("FILE_OPS_AT"), *given = getenv("FILE_OPS_DO");
    size_t length = strlen(op), n = strlen(path);
    if (disturbed || !at || strcmp(given ? given : "stop", how) != 0 ||
        strncmp(at, op, length) != 0 || at[length] != ':')
        return false;
    const char *part = at + length + 1;
    size_t end = strcspn(part, "$");
    return part[end] ? n >= end && strncmp(path + n - end, part, end) == 0
                     : strstr(path, part) != NULL;
}

/* With no lock held, so that other threads go on. */
static void hang(const char *op, const char *path, int fd) {
    const char *go = getenv("FILE_OPS_GO");
    if (!chosen(op, path, "hang"))
        return;
    while (go && access(go, F_OK) != 0)
        usleep(10000);
    if (go)
        return;
    int again = fd >= 0 ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    if (again >= 0)
        REAL(flock)(again, LOCK_EX);
    for (;;) {
        if (again < 0 || REAL(flock)(fd, LOCK_EX) == 0)
            pause();
    }
}

static void note(const char *op, long bytes, const char *path, const char *to) {
    const char *name = getenv("FILE_OPS_LOG");
    char line[2 * PATH_BYTES + 64];
    if (!name)
        return;
    int n = snprintf(line, sizeof line, "%ld %s %ld %s%s%s\n", (long)getpid(), op, bytes, path,
                     to ? " " : "", to ? to : "");
    int fd = REAL(open)(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || REAL(write)(fd, line, (size_t)n) != n)
        abort();
    REAL(close)(fd);
}

/* After an operation that ended well: its line, and the stop. Unlocks, and keeps errno. */
static void done(bool well, const char *op, long bytes, const char *path, const char *to) {
    int error = errno;
    bool stop = false;
    if (well) {
        note(op, bytes, path, to);
        stop = chosen(op, to && strcmp(op, "symlink") != 0 ? to : path, "stop");
        disturbed = disturbed || stop;
    }
    pthread_mutex_unlock(&lock);
    if (stop)
        raise(SIGSTOP); /* to this thread, which so gets no further */
    errno = error;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (getenv("FILE_OPS_BOOT") && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
        return REAL(open)(getenv("FILE_OPS_BOOT"), flags);
    if (below(path))
        hang("open", path, -1);
    if (!below(path) || !(flags & (O_CREAT | O_TRUNC)))
        return REAL(open)(path, flags, mode);
    pthread_mutex_lock(&lock);
    bool there = access(path, F_OK) == 0;
    int fd = REAL(open)(path, flags, mode);
    bool made = fd >= 0 && !there, cut = fd >= 0 && there && (flags & O_TRUNC);
    done(made || cut, made ? "make" : "truncate", 0, path, NULL);
    return fd;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    char path[PATH_BYTES];
    if (!path_of(fd, path))
        return REAL(write)(fd, bytes, size);
    hang("write", path, fd);
    pthread_mutex_lock(&lock);
    if (chosen("write", path, "half")) {
        disturbed = true;
        size = (size_t)REAL(write)(fd, bytes, size / 2);
        raise(SIGSTOP); /* with the lock: nobody writes on */
    } else {
        size = (size_t)REAL(write)(fd, bytes, size);
    }
    done((ssize_t)size >= 0, "write", (long)size, path, NULL);
    return (ssize_t)size;
}

ssize_t read(int fd, void *bytes, size_t size) {
    char path[PATH_BYTES];
    if (!path_of(fd, path))
        return REAL(read)(fd, bytes, size);
    hang("read", path, fd);
    pthread_mutex_lock(&lock);
    ssize_t n = REAL(read)(fd, bytes, size);
    if (n > 0 && chosen("read", path, "flip")) {
        disturbed = true;
        ((char *)bytes)[n / 2] ^= 4;
    }
    done(n >= 0, "read", (long)n, path, NULL);
    return n;
}

ssize_t pread(int fd, void *bytes, size_t size, off_t at) {
    char path[PATH_BYTES];
    if (path_of(fd, path))
        hang("read", path, fd);
    return REAL(pread)(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    char path[PATH_BYTES];
    size_t n = path_of(fd, path) ? strlen(path) : 0;
    if (n >= 6 && strcmp(path + n - 6, "/owner") == 0 && lacks("beat", path, EIO))
        return -1;
    return REAL(pwrite)(fd, bytes, size, at);
}

int fsync(int fd) {
    char path[PATH_BYTES];
    if (!path_of(fd, path))
        return REAL(fsync)(fd);
    hang("fsync", path, fd);
    pthread_mutex_lock(&lock);
    int result = REAL(fsync)(fd);
    done(result == 0, "fsync", 0, path, NULL);
    return result;
}

int flock(int fd, int how) {
    char path[PATH_BYTES];
    if (!path_of(fd, path) || !(how & (LOCK_EX | LOCK_SH)))
        return REAL(flock)(fd, how);
    if (lacks("lock", path, ENOLCK))
        return -1;
    pthread_mutex_lock(&lock);
    int result = lacks("shared-lock", path, 0) ? 0 : REAL(flock)(fd, how);
    done(result == 0, "lock", 0, path, NULL);
    return result;
}

int fcntl(int fd, int command, ...) {
    char path[PATH_BYTES];
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command != F_OFD_SETLK || !path_of(fd, path))
        return REAL(fcntl)(fd, command, argument);
    if (lacks("lock", path, ENOLCK))
        return -1;
    pthread_mutex_lock(&lock);
    int result = lacks("shared-lock", path, 0) ? 0 : REAL(fcntl)(fd, command, argument);
    done(result == 0, "lock", 0, path, NULL);
    return result;
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int result = REAL(rename)(from, to);
    done(result == 0 && below(to), "rename", 0, from, to);
    return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    if (flags != 0 && lacks("rename", to, EINVAL))
        return -1;
    pthread_mutex_lock(&lock);
    if (flags != 0 && chosen("rename", to, "nolink")) {
        pthread_mutex_unlock(&lock);
        errno = EINVAL;
        return -1;
    }
    int result = REAL(renameat2)(from_folder, from, to_folder, to, flags);
    done(result == 0 && below(to), "rename", 0, from, to);
    return result;
}

int link(const char *from, const char *to) {
    if (lacks("link", to, EPERM))
        return -1;
    pthread_mutex_lock(&lock);
    int result = REAL(link)(from, to);
    done(result == 0 && below(to), "link", 0, from, to);
    return result;
}

int symlink(const char *target, const char *path) {
    if (lacks("symlink", path, EPERM) || lacks("room", path, ENOSPC))
        return -1;
    pthread_mutex_lock(&lock);
    int result = REAL(symlink)(target, path);
    done(result == 0 && below(path), "symlink", 0, path, target);
    return result;
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int result = REAL(unlink)(path);
    done(result == 0 && below(path), "unlink", 0, path, NULL);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    pthread_mutex_lock(&lock);
    int result = REAL(mkdir)(path, mode);
    done(result == 0 && below(path), "mkdir", 0, path, NULL);
    return result;
}
