/* advice: what helps a run that diverged. Local. */
#ifndef LOCKSTEP_RUN_ADVICE_H
#define LOCKSTEP_RUN_ADVICE_H

#include "lockstep/config.h"

/* What to change, by what the configuration makes likely, as the end of a sentence. */
const char *advice_on_divergence(const RunConfig *config);

#endif
