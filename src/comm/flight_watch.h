/* flight_watch: the thread that writes a rank's flight record, whatever keeps the others. */
#ifndef LOCKSTEP_COMM_FLIGHT_WATCH_H
#define LOCKSTEP_COMM_FLIGHT_WATCH_H

#include "lockstep/comm.h"

/* Ends what comm_record began; a record that SIGTERM alone has asked for goes. Local. */
void flight_watch_stop(Comm *comm);

#endif
