/* keeper: the run directory and all that reads or writes it: log, metrics, checkpoints, result.
 *
 * One rank has a keeper, rank 0, and so no other can write there: `Keeper *` is NULL elsewhere. Its
 * functions are Local and for the main thread; what they find is agreed on by the caller. A thread
 * of its own writes the checkpoints (writer.h), another looks whether the directory is still ours
 * (fence.h). */
#ifndef LOCKSTEP_RUN_KEEPER_H
#define LOCKSTEP_RUN_KEEPER_H

#include "lockstep/checkpoint.h"
#include "lockstep/evaluate.h"
#include "lockstep/metrics.h"
#include "lockstep/predictions.h"
#include "lockstep/session.h"
#include "lockstep/stepper.h"

typedef struct Keeper Keeper;

/* Takes the run directory of the session's configuration; from now on the log goes there too. What
 * a start that was killed left half done there is done. The session must outlive the keeper, but
 * for keeper_close. ST_CHECKPOINT. */
Status keeper_open(Session *session, Keeper **keeper);

/* What the run directory's owner file says while it is this process's: for keeper_inherit. */
const char *keeper_owner(const Keeper *keeper);

/* In place of keeper_open, for a rank that goes on without the one that had the keeper, which is
 * dead or cut off: takes the directory over from `owner`, and from nobody else, who has noted the
 * first `noted` losses. ST_CHECKPOINT. */
Status keeper_inherit(Session *session, const char *owner, int64_t noted, Keeper **keeper);

/* The session's engine is about to be another one (session_regroup): nothing asks for it until
 * keeper_go_on. Again does nothing. ST_DEADLINE. */
Status keeper_let_go(Keeper *keeper);

/* The run goes on with fewer ranks from `state`: keeper_start of one that has inherited, else
 * keeper_return of one that has let go. Notes the losses in sessions.jsonl.
 * ST_CHECKPOINT, ST_DEADLINE. */
Status keeper_go_on(Keeper *keeper, const RunState *state, int64_t end_step);

/* Waits for the writer and leaves the directory. Accepts NULL. To be called while the session's
 * device is open. */
void keeper_close(Keeper *keeper);

/* The checkpoint that --resume and --reset ask for, "" where the run begins. A job that was started
 * again, by the same command, goes on from what its first start began. ST_CHECKPOINT. */
Status keeper_choose(Keeper *keeper, char path[CONFIG_PATH_MAX]);

/* The lineage that the chosen checkpoint carries (NULL: none), for keeper_start. */
Status keeper_follow(Keeper *keeper, const char *lineage);

/* The choices in autotune.txt, which the caller frees; NULL where there is none. ST_CHECKPOINT. */
Status keeper_read_autotune(const Keeper *keeper, char **choices);

/* What plans.txt holds, which the caller frees; NULL where there is none. ST_CHECKPOINT. */
Status keeper_read_plans(const Keeper *keeper, char **plans);

/* Removes what an earlier run left, where --reset asks for it. ST_CHECKPOINT. */
Status keeper_reset(Keeper *keeper);

/* Once the engine holds `state`, of a run up to step `end_step`: settles which branch of the run
 * this is, removes a file `stop` of earlier, writes config.yaml, autotune.txt and plans.txt, cuts
 * metrics.jsonl back to the state's step and puts back what it lacks and the state knows, makes
 * best.h5 what the state says, removes the result of an earlier end, notes the start in
 * sessions.jsonl (`libraries`: what the program is made of), starts the writer. ST_CHECKPOINT. */
Status keeper_start(Keeper *keeper, const RunState *state, int64_t end_step, const char *libraries);

/* Appends to metrics.jsonl. ST_CHECKPOINT. */
Status keeper_log_train(Keeper *keeper, const TrainMetrics *metrics);
Status keeper_log_eval(Keeper *keeper, const EvalMetrics *metrics);

/* After the step that `stepper` made last: histograms, where --tensorboard.histograms has them due.
 * ST_DEVICE, ST_CHECKPOINT. */
Status keeper_log_histograms(Keeper *keeper, const RunState *state, const Stepper *stepper);

/* The scheduled evaluation, which is logged, said `test`: has it drawn where that is due. What was
 * drawn is written by keeper_log_drawn, which is to be called now and then and does not wait, and
 * at the end by keeper_end_drawn, which waits two seconds at most. ST_CHECKPOINT. */
void keeper_draw(Keeper *keeper, const RunState *state, const EvalResult *test);
Status keeper_log_drawn(Keeper *keeper);
void keeper_end_drawn(Keeper *keeper);

/* Hands the engine's state and *state to the writer. One that need not last may go to
 * --checkpoint-local. best.h5 is to name it where it is the best so far. ST_DEADLINE, ST_DEVICE,
 * ST_INTERNAL. */
Status keeper_snapshot(Keeper *keeper, const RunState *state, bool lasting);

/* The path of the newest good checkpoint that the run would go on from, "" where there is none.
 * Waits for a write in progress. */
void keeper_last_good(Keeper *keeper, char path[CONFIG_PATH_MAX]);

/* No checkpoint is being written any more, one way or the other. ST_DEADLINE. */
Status keeper_settle(Keeper *keeper);

/* Once that is so: the newest good checkpoint of the branch, for the run to go back to; "": its
 * beginning. Bad ones are passed over as at a start. ST_CHECKPOINT where there are only bad ones.
 */
Status keeper_back(Keeper *keeper, char path[CONFIG_PATH_MAX]);

/* The run has gone back to `state`: metrics.jsonl and best.h5 follow. ST_CHECKPOINT. */
Status keeper_return(Keeper *keeper, const RunState *state, int64_t end_step);

/* Two checkpoints in a row could not be written: why; else ST_OK. Does not wait. */
Status keeper_failed(const Keeper *keeper);

/* Snapshots that are written; what the last of them took (writer_written). */
int64_t keeper_written(const Keeper *keeper, double *seconds, double *cpu);

/* Whether a snapshot is being written. Does not wait. */
bool keeper_is_writing(const Keeper *keeper);

/* Whether the file `stop` in the run directory asks for the end. Looks once a second at most. */
bool keeper_asks_stop(Keeper *keeper);

/* The last snapshot is on disk: a failed write is tried once more before this fails. */
Status keeper_flush(Keeper *keeper, const RunState *state);

/* Writes predictions.h5. Only once keeper_flush has come back: HDF5 is the writer's until then. */
Status keeper_write_predictions(Keeper *keeper, const Predictions *predictions);

/* Writes trace.json. ST_CHECKPOINT. */
Status keeper_write_trace(Keeper *keeper, const char *text, size_t bytes);

/* Whether the state was loaded from the directory's own checkpoint of it. */
bool keeper_holds(const Keeper *keeper, const char *path, const RunState *state);

/* Of a run that is finished: makes what else the directory holds what the state says. In place of
 * keeper_start. ST_CHECKPOINT. */
Status keeper_mend(Keeper *keeper, const RunState *state);

/* Whether the run's end in this state stands in result.json and predictions.h5: a crash may have
 * come between the last checkpoint and these. */
bool keeper_has_result(const Keeper *keeper, const RunState *state, uint64_t state_hash);

/* Fills in what the directory's owner knows of *result (state_hash, best_name) and writes
 * result.json; then the end to sessions.jsonl. The file `stop` has done its work, and goes. */
Status keeper_finish(Keeper *keeper, const RunState *state, RunResult *result);

#endif
