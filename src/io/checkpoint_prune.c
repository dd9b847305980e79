/* checkpoint_prune: which files of a folder of checkpoints stay, and removing the others.
 *
 * Two sets stay, which may overlap: the newest good ones, each looked at whole, so that one that
 * went bad on the disk does not stand in for a good one; and the best, which are told from the
 * state that the run has come to, and of which only the names are looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "file_util.h"
#include "folder.h"
#include "lockstep/log.h"

static bool is_there(const CheckpointSteps *steps, int64_t step) {
    for (int64_t i = 0; i < steps->n; i++) {
        if (steps->step[i] == step)
            return true;
    }
    return false;
}

bool checkpoint_spares(const CheckpointKeep *keep, const CheckpointSteps *steps, int64_t step) {
    int64_t rank = keep->state ? checkpoint_rank(keep->state, step) : -1, better = 0;
    for (int64_t i = 0; i < rank && better < keep->best; i++)
        better += is_there(steps, checkpoint_step_of_rank(keep->state, i));
    return rank >= 0 && better < keep->best;
}

/* Sidecars, and temporary files of the dead. */
static bool may_be_swept(const char *name) {
    int64_t step;
    return checkpoint_step_of(name, ".xxh3", &step) ||
           (strncmp(name, "step-", 5) == 0 && file_temporary_is_stale(name));
}

/* Removes sidecars without a file and temporary files of the dead. */
static Status sweep(const char *folder, const CheckpointGate *gate) {
    Names names;
    char path[4096], file[4096], base[CHECKPOINT_FILE_NAME];
    int64_t step;
    Status status = folder_names(folder, may_be_swept, &names);
    for (int64_t i = 0; status == ST_OK && i < names.n; i++) {
        const char *name = names.name[i];
        if (checkpoint_step_of(name, ".xxh3", &step)) {
            checkpoint_file_name(step, base);
            TRY_DONE(file_join(folder, base, file));
            if (access(file, F_OK) == 0)
                continue;
        }
        TRY_DONE(checkpoint_ask(gate));
        TRY_DONE(file_join(folder, name, path));
        TRY_DONE(file_remove(path));
    }
done:
    folder_free(&names);
    return status;
}

/* The file first: a sidecar alone is harmless, a file alone would be warned of. */
static Status remove_one(const char *path) {
    char sidecar[4096 + 8];
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", path);
    TRY(file_remove(path));
    return file_remove(sidecar);
}

/* Whether a file is a good one of the branch. Warns of others that a run would go on from. */
static bool counts(const char *path, const CheckpointKeep *keep, bool is_surplus) {
    CheckpointKin kin;
    CheckpointVerdict verdict = checkpoint_look_for(path, keep->lineage, &kin);
    if (verdict == CHECKPOINT_BAD)
        checkpoint_pass_over(path, true);
    else if (verdict == CHECKPOINT_UNSEEN && !is_surplus)
        log_warn("%s; it stays, and an older one is kept in its place", status_message());
    status_clear();
    return verdict == CHECKPOINT_GOOD && kin.of;
}

Status checkpoint_prune(const char *folder, const CheckpointKeep *keep, const CheckpointGate *gate,
                        int64_t *removed) {
    Status status = ST_OK;
    CheckpointSteps steps;
    char name[CHECKPOINT_FILE_NAME], path[4096];
    int64_t kept = 0, gone = 0;
    bool all = keep->newest == 0 && !keep->lineage;
    TRY_DONE(checkpoint_steps(folder, &steps));
    for (int64_t i = 0; i < steps.n && steps.n > keep->newest; i++) {
        bool is_surplus = kept >= keep->newest;
        if (is_surplus && checkpoint_spares(keep, &steps, steps.step[i]))
            continue;
        checkpoint_file_name(steps.step[i], name);
        TRY_DONE(file_join(folder, name, path));
        TRY_DONE(checkpoint_ask(gate));
        if (!all && !counts(path, keep, is_surplus))
            continue;
        if (is_surplus)
            TRY_DONE(remove_one(path));
        kept += !is_surplus;
        gone += is_surplus;
    }
    TRY_DONE(sweep(folder, gate));
done:
    free(steps.step);
    if (removed)
        *removed = gone;
    return status;
}
