/* checkpoint_dir: what else may be done in a folder of checkpoints. Private to src/io. Local. */
#ifndef LOCKSTEP_IO_CHECKPOINT_DIR_H
#define LOCKSTEP_IO_CHECKPOINT_DIR_H

#include "lockstep/checkpoint.h"

/* ST_OK where there is nobody to ask. */
Status checkpoint_ask(const CheckpointGate *gate);

/* Renames PATH and its sidecar out of the way, to .bad, or .bad.2 where there is one already. */
Status checkpoint_quarantine(const char *path);

/* Whether NAME is one that checkpoint_quarantine gives. */
bool checkpoint_is_bad(const char *name);

#endif
