/* writer: writes checkpoints on a thread of its own, from a snapshot, while training goes on.
 * Local.
 *
 * HDF5 and the checkpoint folder belong to this thread while it runs. writer_snapshot copies the
 * state, or has it set aside (it waits only while the previous write is not done), and returns. A
 * failed write is warned of once; two in a row are reported by writer_failed. The next snapshot
 * stands in for it, but for one of the best states so far: that is written again before the next
 * one. */
#ifndef LOCKSTEP_WRITER_H
#define LOCKSTEP_WRITER_H

#include "lockstep/checkpoint.h"
#include "lockstep/clock.h"
#include "lockstep/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Writer Writer;

/* Called on the writer's thread, but for `take`; each may be NULL. A failure counts as a failed
 * write, but not where older files cannot be removed and the folder is still ours: that is warned
 * of. */
typedef struct WriterHooks {
    /* Both or none, where the arrays are not in host memory. `take` is called by writer_snapshot in
     * place of copying them, once the previous snapshot is written: sets them aside. Then `fetch`
     * brings these to the arrays of `to`. */
    Status (*take)(void *context);
    Status (*fetch)(void *context, const Checkpoint *to);
    /* Before the file is written: metrics made durable up to its step. */
    Status (*before)(void *context, int64_t step);
    /* After it was committed: the best link. */
    Status (*after)(void *context, int64_t step, const char *file_name, bool is_best);
    /* After that and pruning, of one that lasts: those that need not may go. */
    Status (*lasts)(void *context);
    /* Right before each commit and before pruning: whether the folder is still ours. */
    Status (*allowed)(void *context);
    /* A write has failed, and the thread's error record says why. May end the process. */
    void (*failed)(void *context);
    void *context;
    TraceRow *row; /* of the writer's thread in a trace, or NULL */
} WriterHooks;

/* `folder` is pruned to the newest `keep` of the branch and the best `keep_best` so far. `local`
 * (NULL: none) is a folder on this node for checkpoints that need not last, pruned likewise.
 * `shape` says which arrays there are: room for a copy of them is allocated here, once. The model,
 * the config text and the slot names of this and later snapshots must outlive the writer. */
Status writer_start(const char *folder, const char *local, int64_t keep, int64_t keep_best,
                    const Checkpoint *shape, WriterHooks hooks, Writer **writer);

/* Hands over a copy of `checkpoint`, for `folder` where it must last or there is no local folder.
 * ST_DEADLINE where what is to be written before did not end in time. */
Status writer_snapshot(Writer *writer, const Checkpoint *checkpoint, bool lasting,
                       const Deadline *deadline);

/* Waits for the write in progress; the status of the last one. */
Status writer_flush(Writer *writer, const Deadline *deadline);

/* Two writes in a row failed: the status and message of the last one, else ST_OK. Does not wait. */
Status writer_failed(Writer *writer);

/* Checkpoints that were handed over and are written; the last of them took `seconds`, of which the
 * thread computed for `cpu`. Those that failed do not count: how long that took says nothing of one
 * that succeeds. Does not wait. */
int64_t writer_written(Writer *writer, double *seconds, double *cpu);

/* Whether what was handed over is being written. Does not wait. */
bool writer_is_busy(Writer *writer);

/* While no write is in progress: the run has gone back. The best state, if it could not be written,
 * is not to be written any more, and the last file that was committed counts as none. */
void writer_forget(Writer *writer);

/* The path of the last file that was committed; "" where there is none yet, or since then. */
void writer_committed(Writer *writer, char path[4096]);

/* Joins the thread; a write in progress is finished first, however long it takes: the caller is
 * watched (src/engine/standstill.h), or has seen to it that there is none. Accepts NULL. */
void writer_stop(Writer *writer);

#ifdef __cplusplus
}
#endif
#endif
