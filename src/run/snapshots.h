/* snapshots: what a run's checkpoints are made of, and the writer that they are handed to.
 *
 * Rank 0's: the keeper has them, says when one is made and what follows from it. Local, main
 * thread; what the writer asks for is answered on its own. */
#ifndef LOCKSTEP_RUN_SNAPSHOTS_H
#define LOCKSTEP_RUN_SNAPSHOTS_H

#include "lockstep/checkpoint.h"
#include "lockstep/device_snapshot.h"
#include "lockstep/metrics.h"
#include "lockstep/rundir.h"
#include "lockstep/session.h"
#include "lockstep/writer.h"

typedef struct Snapshots {
    Session *session;   /* borrowed, as are */
    RunDir *dir;        /* the run directory and */
    Metrics *metrics;   /* its metrics, durable before a checkpoint is */
    const char *config; /* text that is stored with each */
    char *class_names;  /* likewise */
    DeviceSnapshot device;
    HostState host; /* flat host buffers, of which checkpoints are views */
    Writer *writer; /* NULL: not open */
} Snapshots;

/* Starts the writer, for the state of a run that goes on in `dir`. What is borrowed must outlive
 * it. */
Status snapshots_open(Session *session, RunDir *dir, Metrics *metrics, const char *config,
                      const RunState *state, Snapshots *snapshots);

/* Waits for the writer. Accepts a zeroed struct. While the session's device is open. */
void snapshots_close(Snapshots *snapshots);

/* Hands the engine's state and *state to the writer. One that need not last may go to
 * --checkpoint-local. ST_DEADLINE, ST_DEVICE, ST_INTERNAL. */
Status snapshots_take(Snapshots *snapshots, const RunState *state, bool lasting);

/* The last one is on disk: a failed write is tried once more before this fails. */
Status snapshots_flush(Snapshots *snapshots, const RunState *state);

/* None is being written any more, one way or the other. ST_DEADLINE. */
Status snapshots_settle(Snapshots *snapshots);

/* The path of the last file that was written, "" where there is none. Waits for a write in
 * progress. */
void snapshots_last(Snapshots *snapshots, char path[CONFIG_PATH_MAX]);

/* Once they are settled: the run has gone back, its metrics are these now. */
void snapshots_return(Snapshots *snapshots, Metrics *metrics);

/* Once they are settled: the session's engine is about to be closed, and then is another one.
 * ST_DEVICE. */
void snapshots_let_go(Snapshots *snapshots);
Status snapshots_follow(Snapshots *snapshots);

/* The hash of the engine's state and *state. */
Status snapshots_hash(Snapshots *snapshots, const RunState *state, uint64_t *hash);

#endif
