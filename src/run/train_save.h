/* train_save: checkpoints of a training run, and what must hold before anything of it is saved. */
#ifndef LOCKSTEP_RUN_TRAIN_SAVE_H
#define LOCKSTEP_RUN_TRAIN_SAVE_H

#include "training.h"

/* Ranks must agree on all that they hold alike before any of it is written, or a checkpoint would
 * keep a fault of one rank's memory for good. *bad: weights that are not finite. A ReLU or a
 * maximum of oneDNN swallows NaN, so they need not show in the loss. Nothing is done where the
 * state was compared already. Collective, agreed. */
Status train_compare(Train *run, int64_t *bad);

/* The end of a run with so many of them. Collective, agreed; never ST_OK. */
Status train_bad_weights(const Train *run, int64_t bad);

/* Before anything is saved: it is the same everywhere, finite, and of the right images. Collective,
 * agreed. */
Status train_check(Train *run);

/* A disk that does not answer keeps the writer's thread, and closing the keeper would wait for
 * that: so it is not agreed on, and ends the run through session_judge. All else is. */
Status train_agree_on_disk(Comm *comm, Status mine);

/* Compares the state over ranks and hands it to the writer, unless this step's was saved already.
 * One that need not last may go to --checkpoint-local. Collective, agreed, but for a disk that does
 * not answer. */
Status train_save(Train *run, bool lasting);

/* Whether the state that was loaded is the run directory's own checkpoint of it, under whatever
 * name it was asked for. Rank 0 can tell, and all must agree. Collective. */
Status train_find_lasting(Train *run, const char *path);

#endif
