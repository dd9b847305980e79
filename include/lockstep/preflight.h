/* preflight: `lockstep preflight`, whether the hosts of a run are ready for it. */
#ifndef LOCKSTEP_PREFLIGHT_H
#define LOCKSTEP_PREFLIGHT_H

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the hosts of a run have what it needs, and the same; an all-reduce checked and timed.
 * Takes argv from the subcommand's name on, prints its own errors and returns the exit status.
 * Collective; with --help Local. */
Status preflight_command(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
