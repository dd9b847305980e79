/* rundir: the run directory, written by rank 0 alone. Local.
 *
 *   config.yaml  log.txt  metrics.jsonl  result.json  checkpoints/  best.h5 -> checkpoints/...
 *   lock         held by a kernel lock (flock) that dies with its holder
 *   crash-fired  marker of --crash-at */
#ifndef LOCKSTEP_RUNDIR_H
#define LOCKSTEP_RUNDIR_H

#include "lockstep/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RunDir {
    char path[4096];
    char checkpoints[4096];
    int lock_fd, log_fd, metrics_fd; /* -1: not open */
} RunDir;

/* Creates the directory (parents too) and takes its lock. ST_CHECKPOINT where another run holds it
 * (names host and pid from the lock file), or it cannot be made. */
Status rundir_open(const char *path, RunDir *dir);
void rundir_close(RunDir *dir);

/* Removes checkpoints, metrics, result and crash marker: --reset. */
Status rundir_reset(RunDir *dir);

/* True where the directory holds checkpoints (good or bad). */
bool rundir_has_checkpoints(const RunDir *dir);

/* Opens log.txt for appending. */
Status rundir_open_log(RunDir *dir);

/* Writes config.yaml (temporary name, rename). */
Status rundir_write_config(RunDir *dir, const char *text);

/* Replaces best.h5 by a link to checkpoints/FILE_NAME. */
Status rundir_link_best(RunDir *dir, const char *file_name);
/* The file name best.h5 points to, "" if none. */
void rundir_best(const RunDir *dir, char file_name[256]);

/* --crash-at: fires once per run directory. *first is true for the call that made the marker
 * (fsynced). */
Status rundir_crash_marker(const char *path, bool *first);

#ifdef __cplusplus
}
#endif
#endif
