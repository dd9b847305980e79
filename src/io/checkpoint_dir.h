/* checkpoint_dir: what else may be done in a folder of checkpoints. Private to src/io. Local. */
#ifndef LOCKSTEP_IO_CHECKPOINT_DIR_H
#define LOCKSTEP_IO_CHECKPOINT_DIR_H

#include "lockstep/checkpoint.h"
#include "lockstep/lineage.h"

/* ST_OK where there is nobody to ask. */
Status checkpoint_ask(const CheckpointGate *gate);

/* Renames PATH and its sidecar out of the way, to .bad, or .bad.2 where there is one already. */
Status checkpoint_quarantine(const char *path);

/* Warns of a bad file by the thread's error record, which is cleared; moves it away where it is to
 * be. */
void checkpoint_pass_over(const char *path, bool quarantine);

/* Whether NAME is one that checkpoint_quarantine gives. */
bool checkpoint_is_bad(const char *name);

/* The steps of the files of a folder that have a checkpoint's name. */
typedef struct CheckpointSteps {
    int64_t n;
    int64_t *step; /* [n], newest first; to be freed */
    bool bad;      /* there are quarantined ones, too */
} CheckpointSteps;

/* Of a folder that is not there: none. */
Status checkpoint_steps(const char *folder, CheckpointSteps *steps);

/* Whether pruning spares the file of that step for how good its state is: `steps` are those that
 * there are. */
bool checkpoint_spares(const CheckpointKeep *keep, const CheckpointSteps *steps, int64_t step);

/* What a good file says of its branch. */
typedef struct CheckpointKin {
    bool of;                       /* it is of the lineage that was asked for */
    char branch[LINEAGE_ID_BYTES]; /* its own; zeros: none, or the file is not good */
} CheckpointKin;

/* checkpoint_look, and whether a good file is of `lineage` (NULL: of any). */
CheckpointVerdict checkpoint_look_for(const char *path, const char *lineage, CheckpointKin *kin);

/* Whether NAME is that of a folder for files of another branch: "aside-ID",
 * "aside-ID.2". */
bool checkpoint_is_aside(const char *name);

#endif
