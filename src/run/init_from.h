/* init_from: a fresh run that begins with the weights of another one's checkpoint (--init-from). */
#ifndef LOCKSTEP_RUN_INIT_FROM_H
#define LOCKSTEP_RUN_INIT_FROM_H

#include "lockstep/session.h"

/* Puts weights and running statistics of the checkpoint that the configuration names, those that
 * its run would evaluate, in place of the initial ones in *host, and says so. Layers go by name.
 * The last layer with weights keeps its initial ones where its shape is another, as for other
 * classes; any other difference is ST_USAGE naming it. Does nothing where no file is named.
 * Collective, agreed. */
Status init_from_file(Session *session, HostState *host);

#endif
