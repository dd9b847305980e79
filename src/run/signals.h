/* signals: a request to checkpoint and stop. SIGUSR1, SIGTERM, SIGINT, SIGHUP (but for nohup) and
 * SIGXCPU set a flag that the step loop carries to all ranks; SIGTERM asks for the flight record
 * too. A SIGINT after a request ends the process at once; a second SIGTERM does not: srun passes on
 * the one that its ranks got. */
#ifndef LOCKSTEP_RUN_SIGNALS_H
#define LOCKSTEP_RUN_SIGNALS_H

#include <stdbool.h>

/* Installs the handlers; SIGPIPE and SIGXFSZ, which would end the process, are writes that fail.
 * Local. */
void signals_install(void);

/* True once a request has come. Local. */
bool signals_stop_requested(void);

#endif
