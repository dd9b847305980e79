/* summary: the last lines of a run. */
#ifndef LOCKSTEP_RUN_SUMMARY_H
#define LOCKSTEP_RUN_SUMMARY_H

#include "lockstep/metrics.h"

/* Logs what came of the run in directory `out`; --quiet ends here. `synthetic` labels every figure
 * that would be taken for CIFAR-10's. Local. */
void summarize(const RunResult *result, const char *out, bool synthetic);

#endif
