/* path: a path as a person writes it. Local.
 *
 * A shell expands `~` and variables in words of its own; a YAML file, the environment and
 * `--out=~/runs` reach the program as they stand, and would name a folder `~`. */
#ifndef LOCKSTEP_PATH_H
#define LOCKSTEP_PATH_H

#include <stddef.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `written` into path[room], with `~` and `~/` at its beginning as $HOME, and `$NAME` and `${NAME}`
 * anywhere as that variable of the environment. What it gives is given again for itself. ST_USAGE,
 * with a message that begins with the path, for a variable that is not set or is empty, for any
 * other `$`, for `~name`, and for a path that is too long. */
Status path_expand(const char *written, char *path, size_t room);

#ifdef __cplusplus
}
#endif
#endif
