/* file: see file.h.
 *
 * What is there is looked at before it is opened, for opening a device may do something. It may be
 * another file by then: so it is opened without waiting, and looked at again. */
#include "lockstep/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "Wrong medium type": none of the calls that open files fails with it. */
enum { NOT_REGULAR = EMEDIUMTYPE };

/* 0, or the errno that says what it is instead. */
static int judge(const struct stat *info) {
    return S_ISREG(info->st_mode) ? 0 : S_ISDIR(info->st_mode) ? EISDIR : NOT_REGULAR;
}

int file_open(const char *path, int flags) {
    struct stat info;
    int error = stat(path, &info) == 0 ? judge(&info) : 0;
    int fd = -1;
    do { /* a network's file system may be interrupted in any call */
        fd = error ? -1 : open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
    } while (!error && fd < 0 && errno == EINTR);
    if (fd >= 0)
        error = fstat(fd, &info) == 0 ? judge(&info) : errno;
    if (fd >= 0 && error) {
        close(fd);
        fd = -1;
    }
    if (error)
        errno = error;
    return fd;
}

FILE *file_open_stream(const char *path) {
    int fd = file_open(path, O_RDONLY);
    FILE *stream = fd >= 0 ? fdopen(fd, "rb") : NULL;
    if (fd >= 0 && !stream)
        close(fd);
    return stream;
}

const char *file_cause(int error) {
    return error == NOT_REGULAR ? "it is not a regular file" : strerror(error);
}
