/* place: which directory a run gets. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_PLACE_H
#define LOCKSTEP_CONFIG_PLACE_H

#include "lockstep/config.h"

/* Settles config->out from itself, from runs_dir, which is empty afterwards, and from the file's
 * name. ST_USAGE. */
Status config_place(RunConfig *config);

#endif
