/* inspect: what is in a checkpoint, for people. Local. */
#ifndef LOCKSTEP_INSPECT_H
#define LOCKSTEP_INSPECT_H

#include <stdbool.h>
#include <stdio.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Prints the configuration, choices made by timing, the state, the history and, of every array,
 * shape, smallest, largest and mean value. The file must agree with its sidecar. With `verify`
 * every array is also read into the state hash, which must equal the stored one. ST_CHECKPOINT
 * names what does not check. */
Status inspect_print(const char *path, bool verify, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
