/* rundir: the run directory, written by rank 0 alone, and by one process at a time. Local.
 *
 *   config.yaml  log.txt  metrics.jsonl  result.json  checkpoints/  best.h5 -> checkpoints/...
 *   sessions.jsonl each start and end of a process on the run
 *   predictions.h5 what the network said of each test image at the end
 *   tensorboard/   events for TensorBoard, a file a process
 *   report/        pictures and a page, which `lockstep report` makes of the rest
 *   trace.json     who did what when in some steps, where --trace asked for it
 *   autotune.txt   choices made by timing, where the run has some
 *   plans.txt      plans of the device's library, where it keeps them (Planning.text of device.h)
 *   owner          the process that may write here (host, pid, job, restart), with its heartbeat;
 *                  carries its lock
 *   local          names of folders below --checkpoint-local: where later checkpoints may be, and
 *                  such as are to be removed
 *   lineage        which branch of the run goes on here (lineage.h); what is of another branch is
 *                  set aside in checkpoints/aside-ID, by that one's id
 *   metrics.next   metrics of a branch that is about to begin
 *   crash-fired    marker of --crash-at
 *   stop           made by a person, who asks the run to end; the run removes it
 *
 * A job that was restarted on other nodes takes the directory from its predecessor, which may be
 * alive on a node that was cut off: so every function below that writes looks at the owner file
 * first, and fails with ST_CHECKPOINT where it names another process. */
#ifndef LOCKSTEP_RUNDIR_H
#define LOCKSTEP_RUNDIR_H

#include "lockstep/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RunDir {
    char path[4096];
    char checkpoints[4096];
    char local[4096];                /* folder of --checkpoint-local, "": none */
    char owner[512];                 /* who the owner file says it is while the directory is ours */
    int lock_fd, log_fd, metrics_fd; /* -1: not open */
    char *lineage;                   /* of the branch that goes on here; NULL: not known */
    char begun[160];                 /* who began it, as the file `lineage` says */
    bool no_links;                   /* its file system has no symbolic links: no best.h5 */
    bool sorting;                    /* files of other branches may not all have been set aside */
    bool begun_before; /* it was begun by this very command in this job, before a restart */
    bool left_local;   /* `local` names folders that are to be removed */
} RunDir;

/* Creates the directory (parents too) and takes it. ST_CHECKPOINT where another run has it (names
 * host, process and job), it cannot be made, or holds metrics or a result but was never a run's.
 * Taken from a run that still holds it only by the same Slurm job with a higher restart count, or
 * where the holder is seen to be dead; from one on another host, which cannot be seen and has no
 * lock, once its heartbeat has stood still for four periods, which this waits for. */
Status rundir_open(const char *path, RunDir *dir);

/* Takes it from a process of the same run, which is known to write no more and whose RunDir.owner
 * this is: neither lock nor heartbeat is asked. Where the directory is another's by now, as
 * rundir_open. */
Status rundir_inherit(const char *path, const char *owner, RunDir *dir);
void rundir_close(RunDir *dir);

/* Whether a process has the directory, for who only reads it: no lock is tried, which a run that
 * begins at that moment would take for a rival's. */
typedef enum RunHolder {
    HOLDER_NONE,
    HOLDER_ALIVE, /* seen to be */
    HOLDER_AWAY   /* named, but of another host or another namespace of processes */
} RunHolder;
RunHolder rundir_holder(const char *path);

/* Writes the heartbeat: `beat` is another number each time, the next one comes in `every` seconds.
 * ST_CHECKPOINT. For one thread, and not beside rundir_close. */
Status rundir_beat(const RunDir *dir, int64_t beat, double every);

/* ST_CHECKPOINT, naming the new owner, where the directory is no longer ours. Thread-safe. */
Status rundir_check(const RunDir *dir);

/* True where it belongs to another process for good. Leaves the error record alone. Thread-safe. */
bool rundir_lost(const RunDir *dir);

/* Removes a run's temporary files from `folder`, whatever process and host has made them (in a
 * container a host's name is a new one each time): nobody but the directory's owner, this process,
 * may write there, so theirs are of the dead, or of one that must not come to rename them. Done for
 * the directory itself when it is taken. */
Status rundir_sweep(const RunDir *dir, const char *folder);

/* Removes checkpoints, metrics, events, result, sessions, autotune.txt, plans.txt and crash marker:
 * --reset. Says in the log what it removes: only what a run has made, and of that no .bad files,
 * which it moves to checkpoints/bad-N. After rundir_leave_local: killed in between, the next start
 * would else go on from what a node has. */
Status rundir_reset(RunDir *dir);

/* Whether there are checkpoints (good or bad), in the directory or in its folder below `base` on
 * this node (--checkpoint-local; "" for none). */
Status rundir_has_checkpoints(const RunDir *dir, const char *base, bool *has);

/* Whether `path` is, under whatever name, the directory's checkpoint of that step. */
bool rundir_holds(const RunDir *dir, const char *path, int64_t step);

/* Reads what the file `lineage` says into *dir; before all that asks for the branch. */
Status rundir_read_branch(RunDir *dir);

/* Does the rest of what a start that was killed in rundir_begin_branch left to do; before a
 * checkpoint is chosen. */
Status rundir_finish_branch(RunDir *dir);

/* A run goes on here from the state of lineage `from` after `step` ("" and 0: from the beginning).
 * It is a new branch where it `leaves` what is here, or the state is not one of the directory's
 * branch. Either way sets the checkpoints of others aside, and says so. Sets dir->lineage, for the
 * checkpoints to come. `file` (NULL: none) was named to go on from: the metrics of what is left are
 * set aside too; unless they have led to that very state, those of the run that the file is in take
 * their place. Killed at any moment, the directory is of the old branch with all it had, or of the
 * new one. */
Status rundir_begin_branch(RunDir *dir, const char *from, int64_t step, bool leaves,
                           const char *file);

/* Sets the newest good checkpoint of the branch aside, *step, so that the run goes on from the one
 * before, *older. Nothing else follows from that: the same steps come again. ST_CHECKPOINT, and
 * nothing is changed, where there is no older one. */
Status rundir_step_behind(const RunDir *dir, int64_t *step, int64_t *older);

/* The newest good checkpoint of the directory's branch, "" where there is none: of `checkpoints`,
 * or of the folder that this run had below `base` on this node (--checkpoint-local; "" for none)
 * where that one is newer. Bad ones are renamed .bad; ST_CHECKPOINT as checkpoint_newest, and where
 * the branch began later than what is left of it. */
Status rundir_newest(RunDir *dir, const char *base, char path[4096]);

/* Likewise, but "" where the branch has nothing yet, not even the state that it began with. */
Status rundir_newest_made(RunDir *dir, const char *base, char path[4096]);

/* For who only reads the run directory `run`: the newest good checkpoint of its branch, "" where it
 * has none. ST_CHECKPOINT as checkpoint_newest. */
Status rundir_find(const char *run, char path[4096]);

/* Sets dir->local: the folder that rundir_newest chose from, else a new one below `base`; what the
 * old one holds is not for this run to go on from, but stays until rundir_lasts. */
Status rundir_begin_local(RunDir *dir, const char *base);

/* The same without a new one. */
Status rundir_leave_local(RunDir *dir);

/* A checkpoint of the run's is in the directory: older ones on this node's own disk are removed. */
Status rundir_lasts(RunDir *dir);

/* Makes NAME in the directory hold exactly these bytes, durably: under a temporary name of this
 * process's own, another look at the owner file, rename. */
Status rundir_replace(const RunDir *dir, const char *name, const void *bytes, size_t size);

/* Opens log.txt for appending, as a new file with what the old one holds. */
Status rundir_open_log(RunDir *dir);

/* Writes config.yaml. */
Status rundir_write_config(RunDir *dir, const char *text);

/* plans.txt: written where it does not hold that text already, unless that is NULL; read into
 * *text, which the caller frees, NULL where there is none. ST_CHECKPOINT. */
Status rundir_write_plans(RunDir *dir, const char *text);
Status rundir_read_plans(const RunDir *dir, char **text);

/* autotune.txt: written as config.yaml is; read into *text, which the caller frees, NULL where
 * there is none. */
Status rundir_write_autotune(RunDir *dir, const char *text);
Status rundir_read_autotune(const RunDir *dir, char **text);

/* Replaces best.h5 by a link to checkpoints/FILE_NAME; where there are no links, none to another
 * file stays. */
Status rundir_link_best(RunDir *dir, const char *file_name);
/* The file name best.h5 points to, "" if none. */
void rundir_best(const RunDir *dir, char file_name[256]);

/* Makes best.h5 what the state that the run goes on from says: a link to the checkpoint of
 * best_step
 * (-1: none yet), or nothing where that is gone. Warns of what it changes. */
Status rundir_mend_best(RunDir *dir, int64_t best_step);

/* How the checkpoint of that step, the best, is reached from the directory: "/best.h5", where there
 * are no links "/checkpoints/step-00000800.h5"; "" where it is not there. */
void rundir_name_best(const RunDir *dir, int64_t best_step, char name[96]);

/* For who only reads the directory `run`: the file name in its checkpoints of what the newest good
 * one says is the best; "" where that is not there. ST_CHECKPOINT as checkpoint_search. */
Status rundir_find_best(const char *run, char file_name[256]);

/* Whether result.json says that the run finished, after this step and in this state. */
bool rundir_has_result(const RunDir *dir, int64_t step, uint64_t state_hash);

/* Removes result.json, predictions.h5 and the report's page: they are of an end that the run goes
 * on from. */
Status rundir_begin_again(RunDir *dir);

/* Whether somebody has made a file `stop` here: one look at the disk. Leaves the error record
 * alone. */
bool rundir_asks_stop(const RunDir *dir);

/* Removes it; *was_there: it was. */
Status rundir_remove_stop(RunDir *dir, bool *was_there);

/* --crash-at: fires once per run directory. *first is true for the call that made the marker
 * (fsynced). */
Status rundir_crash_marker(const char *path, bool *first);

#ifdef __cplusplus
}
#endif
#endif
