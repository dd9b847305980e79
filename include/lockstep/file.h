/* file: opening regular files, and nothing else. A FIFO, a socket or a device under a file's name
 * would keep the reader until somebody writes there, or for ever. Local, thread-safe. */
#ifndef LOCKSTEP_FILE_H
#define LOCKSTEP_FILE_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* open(2) with O_CLOEXEC and mode 0666, again where a signal came between. -1 and errno, which
 * file_cause explains, where it fails or what is there is no regular file (EISDIR for a folder);
 * that is not opened. */
int file_open(const char *path, int flags);

/* For reading. NULL and errno likewise. */
FILE *file_open_stream(const char *path);

/* The words for an errno of these. */
const char *file_cause(int error);

#ifdef __cplusplus
}
#endif
#endif
