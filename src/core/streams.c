/* streams: see streams.h. */
#include "lockstep/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"

enum { PAGE = 4096, POLL_MS = 100 };

/* Open for reading alone, so that a write to it fails, as it should. */
void streams_open(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int null = open("/dev/null", O_RDONLY);
        if (null >= 0 && null != fd) {
            dup2(null, fd);
            close(null);
        }
    }
}

/* Whether a write will not wait: there is room, or it will fail. */
static bool has_room(int fd, double seconds) {
    struct pollfd stream = {.fd = fd, .events = POLLOUT};
    if (poll(&stream, 1, 0) == 1)
        return true;
    if (seconds <= 0)
        return false;
    Deadline deadline = deadline_after(seconds);
    while (!deadline_passed(&deadline)) {
        if (poll(&stream, 1, POLL_MS) == 1)
            return true;
    }
    return false;
}

bool streams_write(int fd, const char *text, size_t bytes, double seconds) {
    while (bytes > 0) {
        if (!has_room(fd, seconds))
            return false;
        ssize_t n = write(fd, text, bytes < PAGE ? bytes : PAGE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        bytes -= (size_t)n;
    }
    return true;
}

Status streams_judge(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return ST_OK;
    return FAIL(ST_USAGE, "standard output took not all that was printed%s%s: let it go elsewhere",
                errno ? ": " : "", errno ? strerror(errno) : "");
}
