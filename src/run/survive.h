/* survive: how a run goes on without ranks that died (--elastic).
 *
 * It is cut into sections, each of which ends in comm_commit (comm.h): of every step first its
 * sums, then what follows from them; and the run's end. A section in which ranks were lost is
 * undone where it has changed what all ranks hold alike, then the lanes are dealt to those that are
 * left, and it is done again. The sums of a step change nothing before they count, so there is
 * nothing to undo, and no copy of the weights is kept.
 *
 * Where rank 0 was lost another one has its number now, and with it the keeper. */
#ifndef LOCKSTEP_RUN_SURVIVE_H
#define LOCKSTEP_RUN_SURVIVE_H

#include "training.h"

/* Before all else of the run: with --elastic ranks may be lost from now on. Until survive_begin a
 * loss ends the run. Collective, agreed. ST_USAGE. */
Status survive_prepare(const Train *run);

/* Before the first step: what those must know who may have to go on. Collective, agreed. */
Status survive_begin(Train *run);

/* After comm_commit came to `status`: deals the run to those that are left, if ranks were lost.
 * Returns `status`, or why that could not be done. Where `status` is ST_LOST, there is no record of
 * it any more. Collective, agreed. */
Status survive(Train *run, Status status);

/* Does a section, `part`, until it counts; nothing of the run comes behind the `last` one. The
 * weights are those of before it, unless it is one that brings others (going back to a checkpoint).
 * Collective; agreed, but as `part` is. */
Status survive_section(Train *run, Status (*part)(Train *run, void *context), void *context,
                       bool last);

#endif
