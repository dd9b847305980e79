/* tracing: --trace: which steps are told of, and the file that rank 0 makes of what all ranks told.
 */
#ifndef LOCKSTEP_RUN_TRACING_H
#define LOCKSTEP_RUN_TRACING_H

#include "keeper.h"

typedef struct Tracing {
    int64_t first, end; /* steps [first, end); first < 0: none any more */
    bool on;
} Tracing;

/* For a run whose configuration asks for a trace; before session_plan. Local. */
Status tracing_open(Session *session);

/* Which steps of [step, end_step) are traced. Warns where none of those asked for are left. */
Tracing tracing_plan(const Session *session, int64_t step, int64_t end_step);

/* Before each step, and once behind the last one (`over`): begins or ends where it is time. At the
 * end all events go to trace.json, through the keeper of rank 0. Collective, agreed. */
Status tracing_at(Tracing *tracing, Session *session, Keeper *keeper, int64_t step, bool over);

#endif
