/* resume: all ranks agree on one checkpoint and load it, or all begin afresh.
 *
 * The choice comes before the model is planned, since a checkpoint may say how; the loading after
 * it. */
#ifndef LOCKSTEP_RUN_RESUME_H
#define LOCKSTEP_RUN_RESUME_H

#include "keeper.h"
#include "lockstep/session.h"

typedef struct Resume Resume;

/* Finds the checkpoint that the configuration asks for, and reads what it says beside its arrays.
 * `keeper`: rank 0's. Collective, agreed. *resume is to be freed, also after a failure. */
Status resume_choose(Session *session, Keeper *keeper, Resume **resume);
void resume_free(Resume *resume); /* accepts NULL */

/* The same for the newest checkpoint that is good (keeper_back), while the run goes on. */
Status resume_choose_back(Session *session, Keeper *keeper, Resume **resume);

/* Its path, NULL where there is none: the run begins. Borrowed. */
const char *resume_path(const Resume *resume);

/* The choices of algorithms that it carries (Tuning.choices), NULL: none. Borrowed. */
const char *resume_choices(const Resume *resume);

/* The lineage that it carries, NULL: none. Borrowed. */
const char *resume_lineage(const Resume *resume);

/* The step that a run ends after, unless it ends early. Local. */
int64_t run_end(const RunConfig *config, int64_t steps_per_epoch);

/* The hash of the state that it holds; 0 where there is none. */
uint64_t resume_state_hash(const Resume *resume);

/* Whether the run is now to end later than its checkpoint's configuration had it; false where there
 * is none. Local, the same everywhere. */
Status resume_extends(const Resume *resume, const RunConfig *config, int64_t steps_per_epoch,
                      bool *extends);

/* Settles how long the schedule is, which the run that the checkpoint is of may have settled
 * before. Collective, agreed. */
Status resume_settle(const Resume *resume, Session *session);

/* Restores engine and *state from it, or initialises them. The state's history is the caller's to
 * free. Collective, agreed. */
Status resume_load(Resume *resume, Session *session, RunState *state);

#endif
