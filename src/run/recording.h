/* recording: where the ranks' flight records go. */
#ifndef LOCKSTEP_RUN_RECORDING_H
#define LOCKSTEP_RUN_RECORDING_H

#include "lockstep/session.h"

/* Once rank 0 has the run directory: from now on each rank leaves its flight record there when it
 * ends badly. Removes old ones. Says which ranks do not see the directory. Collective, agreed. */
Status recording_begin(const Session *session);

#endif
