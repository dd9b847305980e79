/* run: one training run, from a configuration to an exit code. */
#ifndef LOCKSTEP_RUN_H
#define LOCKSTEP_RUN_H

#include "lockstep/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Trains as `config` says, which it frees. `status` is the outcome of reading the configuration:
 * where that failed on any rank, all print nothing more than the cause and end. ST_STOPPED where
 * the run was asked to stop. Installs signal handlers. `libraries`: what this program is made of,
 * for the record. Collective. */
Status train(RunConfig *config, Status status, const char *libraries);

#ifdef __cplusplus
}
#endif
#endif
