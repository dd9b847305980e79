/* history: what the state of a run knows of its evaluations. Local. */
#ifndef LOCKSTEP_RUN_HISTORY_H
#define LOCKSTEP_RUN_HISTORY_H

#include "lockstep/metrics.h"
#include "lockstep/session.h"

/* The lines that the evaluations of the test set gave, one for each entry of the state's history,
 * but for the times. *evaluations is the caller's to free; NULL where there are none. */
Status history_evaluations(const Session *session, const RunState *state,
                           EvalMetrics **evaluations);

#endif
