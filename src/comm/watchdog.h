/* watchdog: a deadline for calls that cannot be polled. Local. */
#ifndef LOCKSTEP_COMM_WATCHDOG_H
#define LOCKSTEP_COMM_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>

#include "lockstep/status.h"

typedef struct Watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    double seconds;    /* the deadline */
    double turn;       /* and this long after it this process may speak: the lowest rank first */
    const char *where; /* borrowed: what is waited for */
    void (*leave)(int code);
} Watchdog;

/* From now on, unless watchdog_stop comes within `seconds`, the process prints one line that names
 * `where` and leaves with ST_DEADLINE: by `leave`, which does not return. _exit makes a launcher
 * end the others, unless it was told that ranks may die. */
Status watchdog_start(Watchdog *watchdog, double seconds, const char *where,
                      void (*leave)(int code));
void watchdog_stop(Watchdog *watchdog);

#endif
