/* streams: the standard streams of a program that may have been started without them. Local. */
#ifndef LOCKSTEP_STREAMS_H
#define LOCKSTEP_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* First of all: a standard stream that is closed becomes one that reads nothing and takes nothing.
 * Its number would else be that of the next file that is opened, and what is said would be written
 * there. */
void streams_open(void);

/* Writes to a standard stream, a page at a time, once whoever reads it has made room: waits
 * `seconds` for that. False where that was not enough, or the stream is closed or full: the rest is
 * lost. */
bool streams_write(int fd, const char *text, size_t bytes, double seconds);

/* Last of all: whether all that was printed has been taken. ST_USAGE. */
Status streams_judge(void);

#ifdef __cplusplus
}
#endif
#endif
