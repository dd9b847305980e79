/* save: see save.h. */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/file.h"

static Status write_all(int fd, const char *path, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", path, strerror(errno));
        bytes += n;
        size -= (size_t)n;
    }
    return ST_OK;
}

Status save_file(const char *path, const char *bytes, size_t size) {
    char temporary[4300];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(temporary, sizeof temporary, "%.*s.%s.%ld", (int)(name - path), path, name,
             (long)getpid());
    int fd = file_open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be made: %s", temporary, file_cause(errno));
    Status status = write_all(fd, path, bytes, size);
    if (close(fd) != 0 && status == ST_OK)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", path, strerror(errno));
    if (status == ST_OK && rename(temporary, path) != 0)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be replaced: %s", path, strerror(errno));
    if (status != ST_OK)
        unlink(temporary);
    return status;
}
