/* journal: what a run tells while it goes on: progress to who watches, metrics to the run
 * directory. It keeps the sums behind them in the checkpointed state, so that a resumed run goes on
 * in mid-interval. */
#ifndef LOCKSTEP_RUN_JOURNAL_H
#define LOCKSTEP_RUN_JOURNAL_H

#include "keeper.h"
#include "lockstep/evaluate.h"
#include "lockstep/progress.h"
#include "lockstep/stepper.h"
#include "meter.h"

typedef struct Journal {
    const Session *session; /* borrowed */
    Keeper *keeper;         /* borrowed; rank 0's, NULL elsewhere */
    Progress *progress;     /* rank 0's unless --quiet; NULL: silent */
    Meter meter;
    int64_t end_step; /* of the run */
} Journal;

/* Before the first step of this process, `step`. Local. */
void journal_open(Journal *journal, const Session *session, Keeper *keeper, int64_t step,
                  int64_t end_step);

/* The run goes on with fewer ranks, and this one may have the keeper now. Local. */
void journal_go_on(Journal *journal, Keeper *keeper);
void journal_close(Journal *journal); /* accepts a zeroed struct, and a second call */

/* A step is done, in `seconds`: counts it in *state, shows it, and logs it where that is due.
 * Collective; a failure to log is rank 0's alone, and ends in comm_abort. */
Status journal_step(Journal *journal, RunState *state, const StepResult *step, double seconds);

/* Loss and accuracy on the training images of the epoch so far, as they were met. */
double journal_epoch_loss(const RunState *state);
double journal_epoch_accuracy(const RunState *state);

/* An evaluation of `set` took `seconds`. Local. ST_CHECKPOINT. */
Status journal_evaluation(Journal *journal, const RunState *state, const EvalSet *set,
                          const EvalResult *result, bool best, double seconds);

/* An epoch has ended: says what it came to. `test`: of its evaluation, NULL: there was none;
 * `held_out` too, NULL: no records are held out, so that the test set decides. Local. */
void journal_epoch(Journal *journal, const RunState *state, const EvalResult *test,
                   const EvalResult *held_out, bool best);

/* Times of this process so far, the largest over ranks. Collective. */
Status journal_times(Journal *journal, PhaseTimes *times);

#endif
