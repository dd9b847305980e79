/* watchdog: see watchdog.h. Used around MPI_Init and MPI_Finalize, in which a rank waits for all
 * others and where no MPI call can be made to end them; and where lost ranks are left out. */
#include "watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/thread.h"

/* More than a launcher needs to end the ranks once the lowest has left: mpirun gives them a second
 * or two. */
static const double TURN_S = 5;

/* The launcher's word for this rank, known before MPI is. */
static int launched_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text)
            return atoi(text);
    }
    return 0;
}

static void *watch(void *context) {
    Watchdog *w = context;
    char message[STATUS_MESSAGE_MAX], host[64] = "";
    Deadline deadline = deadline_after(w->seconds + w->turn);
    pthread_mutex_lock(&w->lock);
    while (!w->done && !deadline_passed(&deadline))
        cond_wait_before(&w->wake, &w->lock, &deadline);
    bool late = !w->done;
    pthread_mutex_unlock(&w->lock);
    if (!late)
        return NULL;
    gethostname(host, sizeof host - 1);
    snprintf(message, sizeof message,
             "rank %d on %s waited for %g s in %s: another rank did not get there; see what the "
             "launcher says of it",
             launched_rank(), host, w->seconds, w->where);
    log_fatal(-1, message);
    fflush(stdout);
    w->leave((int)ST_DEADLINE);
    return NULL;
}

Status watchdog_start(Watchdog *watchdog, double seconds, const char *where,
                      void (*leave)(int code)) {
    *watchdog = (Watchdog){
        .seconds = seconds, .turn = TURN_S * launched_rank(), .where = where, .leave = leave};
    TRY(cond_init_monotonic(&watchdog->wake));
    pthread_mutex_init(&watchdog->lock, NULL);
    int error = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    if (error)
        return FAIL(ST_INTERNAL, "cannot start a thread: %s", strerror(error));
    return ST_OK;
}

void watchdog_stop(Watchdog *watchdog) {
    pthread_mutex_lock(&watchdog->lock);
    watchdog->done = true;
    pthread_cond_signal(&watchdog->wake);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    pthread_mutex_destroy(&watchdog->lock);
    pthread_cond_destroy(&watchdog->wake);
}
