/* autotune: algorithms chosen by timing, for ranks that must all use the same, now and after a
 * resume.
 *
 * A run's choices are one text (Tuning.choices of device.h), made once and kept: each checkpoint
 * carries it, and autotune.txt in the run directory shows it. Where a run goes on, its checkpoint
 * decides, also against --autotune: with a text it is followed, without one the rule is. A fresh
 * run with --autotune follows the autotune.txt that it finds (of its own start before a crash, or
 * put there by hand); where there is none, rank 0 times. A text for another GPU, library or
 * precision is kept, but not followed. */
#ifndef LOCKSTEP_RUN_AUTOTUNE_H
#define LOCKSTEP_RUN_AUTOTUNE_H

#include "train.h"

/* Before planning: finds, or makes on rank 0, the run's choices (run->choices), gives them to all
 * ranks, and these to their devices. Collective, agreed. */
Status autotune_begin(Run *run, const EngineSizes *sizes);

/* After planning: all ranks must have chosen the same. Rank 0 logs what came of it. Collective,
 * agreed. */
Status autotune_end(Run *run);

#endif
