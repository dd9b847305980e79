/* pictures: what the network takes the test images for, as pictures for TensorBoard: the confusion
 * matrix and the surest wrong answers, at some of a run's evaluations. Rank 0. Local.
 *
 * Another process draws them while training goes on (`lockstep pictures`). What it needs and what
 * it makes are in memory without a name (memfd), so the run directory sees neither, and both are
 * gone with the last process that had them. Whatever happens to it costs its pictures alone. */
#ifndef LOCKSTEP_RUN_PICTURES_H
#define LOCKSTEP_RUN_PICTURES_H

#include "lockstep/evaluate.h"
#include "lockstep/metrics.h"
#include "lockstep/session.h"

typedef struct Pictures Pictures;

/* For a run that goes on from `state` up to step `end_step`; *pictures NULL: it makes none. The
 * session is borrowed. ST_INTERNAL. */
Status pictures_open(const Session *session, const RunState *state, int64_t end_step,
                     Pictures **pictures);
void pictures_close(Pictures *pictures); /* accepts NULL; what is being drawn is lost */

/* Whether evaluation 1, 2, ... of so many is one of the `most` that have pictures: they are evenly
 * apart, and the last is one. It follows from these numbers alone, so a resumed run goes on alike.
 */
bool pictures_due(int64_t evaluation, int64_t planned, int64_t most);

/* The scheduled evaluation after state->step said `test`, and metrics.jsonl has it: has its
 * pictures drawn if they are due. */
void pictures_draw(Pictures *pictures, const RunState *state, const EvalResult *test);

/* What has been drawn by now goes to `metrics`. Does not wait, nor allocate. ST_CHECKPOINT. */
Status pictures_collect(Pictures *pictures, Metrics *metrics);

/* The run has ended: the same for what is being drawn still, which is waited for two seconds, or
 * not at all where the run was asked to stop. */
void pictures_finish(Pictures *pictures, Metrics *metrics);

#endif
