/* flip: --crash-at's bit flips: faults of memory that nothing but a comparison shows. */
#ifndef LOCKSTEP_RUN_FLIP_H
#define LOCKSTEP_RUN_FLIP_H

#include "lockstep/checkpoint.h"
#include "lockstep/session.h"

/* Flips one bit of this rank's copy of what CRASH_FLIP and those after it name. Local. ST_USAGE
 * where the run has no such thing, ST_DEVICE. */
Status flip_bit(Session *session, RunState *state, CrashHow how);

#endif
