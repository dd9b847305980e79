/* streams: see streams.h. */
#include "lockstep/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

Status streams_judge(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return ST_OK;
    return FAIL(ST_USAGE, "standard output took not all that was printed%s%s: let it go elsewhere",
                errno ? ": " : "", errno ? strerror(errno) : "");
}
