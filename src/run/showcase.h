/* showcase: the report that a run makes of itself when it has ended. */
#ifndef LOCKSTEP_RUN_SHOWCASE_H
#define LOCKSTEP_RUN_SHOWCASE_H

#include <stdbool.h>

/* Has `lockstep report` write the report of run directory `out`, and says where it is. Whatever
 * happens to it, the run is not touched: it is a process of its own, which ends after two seconds
 * at most, and at once where the run is asked to stop. Rank 0. Local. */
void showcase(const char *out);

/* Whether the report of run directory `out` is there. Local. */
bool showcase_there(const char *out);

#endif
