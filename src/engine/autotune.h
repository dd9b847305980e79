/* autotune: algorithms chosen by timing, for ranks that must all use the same, now and after a
 * resume.
 *
 * A run's choices are one text (Tuning.choices of device.h), made once and kept: each checkpoint
 * carries it, and autotune.txt in the run directory shows it. Where a run goes on, its checkpoint
 * decides, also against --autotune: with a text it is followed, without one the rule is. A fresh
 * run with --autotune follows the autotune.txt that it finds (of its own start before a crash, or
 * put there by hand); where there is none, rank 0 times. A text for another GPU, library or
 * precision is kept, but not followed. */
#ifndef LOCKSTEP_ENGINE_AUTOTUNE_H
#define LOCKSTEP_ENGINE_AUTOTUNE_H

#include "lockstep/session.h"

/* Before planning: takes the choices that rank 0 has, or makes them there, gives them to all ranks,
 * and these to their devices. Collective, agreed. */
Status autotune_begin(Session *session, const EngineSizes *sizes, const char *resumed_from);

/* After planning: all ranks must have chosen the same. Rank 0 logs what came of it. Collective,
 * agreed. */
Status autotune_end(Session *session);

#endif
