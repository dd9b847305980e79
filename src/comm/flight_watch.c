/* flight_watch: see flight_watch.h and comm.h.
 *
 * The thread waits for SIGQUIT, which all others block, a tenth of a second at a time: a main
 * thread that is kept by a call of the system takes no signal. The same signal, sent to the thread
 * alone, wakes it for what this process asks of it. Between two waits it looks whether another rank
 * ends the run, and how long the process has stood.
 *
 * Whoever asks waits for a second at most: the file may be where nothing comes back from. */
#include "flight_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm_internal.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/thread.h"

enum { START_MAX = 64, PATH_BYTES = 4096 };

static const long LOOK_NS = 100000000;
static const double PATIENCE_S = 1, STOOD_MIN_S = 1, STOOD_LATELY_S = 60;

typedef struct FlightWatch {
    Comm *comm; /* borrowed */
    char start[START_MAX];
    char run[PATH_BYTES];                /* where `parent` is */
    struct stat owner;                   /* of it, when the record began */
    char parent[PATH_BYTES];             /* RUN/flight; "": `folder` is in TMPDIR */
    char folder[PATH_BYTES];             /* RUN/flight/START */
    char path[PATH_BYTES];               /* the file */
    char (*hosts)[FLIGHT_HOST_MAX];      /* [size], owned */
    FlightEntry entries[FLIGHT_ENTRIES]; /* the thread's */
    double looked, stood_s, stood_until; /* the thread's */
    /* Of the record: the run ends, so it stands; it is to be kept; SIGTERM has asked for it. The
     * thread's. */
    bool ends, kept, on_term;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t written;
    bool stop, wanted;
    char reason[FLIGHT_REASON_MAX];
} FlightWatch;

/* Set by a signal handler. */
static atomic_bool asked;

void flight_ask(void) {
    asked = true;
}

static void only_quit(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGQUIT);
}

void flight_block(void) {
    sigset_t quit;
    only_quit(&quit);
    pthread_sigmask(SIG_BLOCK, &quit, NULL);
}

/* The owner of a run directory, as a file: another one is another owner. False: none is seen. */
static bool find_owner(const char *run, struct stat *owner) {
    char path[PATH_BYTES];
    return snprintf(path, sizeof path, "%s/owner", run) < (int)sizeof path &&
           stat(path, owner) == 0;
}

/* Whether the run directory is that of this start still: whoever was cut off writes nothing there.
 */
static bool owns(const FlightWatch *watch) {
    struct stat owner;
    return !watch->parent[0] ||
           (find_owner(watch->run, &owner) && owner.st_ino == watch->owner.st_ino &&
            owner.st_dev == watch->owner.st_dev);
}

/* ---- the thread ---- */

static void write_now(FlightWatch *watch, const char *reason) {
    Comm *comm = watch->comm;
    if (!owns(watch))
        return;
    FlightRecord record = {.present = true,
                           .rank = comm->rank,
                           .size = comm->size,
                           .stood_s = watch->stood_s,
                           .stood_until = watch->stood_until,
                           .entry = watch->entries};
    snprintf(record.host, sizeof record.host, "%s", comm->host);
    snprintf(record.reason, sizeof record.reason, "%s", reason);
    record.n = flight_entries(comm->flight, watch->entries);
    record.now = clock_now();
    /* Another rank may have been first; what is wrong shows when the file is written. */
    if (watch->parent[0])
        mkdir(watch->parent, 0777);
    mkdir(watch->folder, watch->parent[0] ? 0777 : 0700);
    if (flight_write(watch->path, &record, watch->start,
                     (const char(*)[FLIGHT_HOST_MAX])watch->hosts) != ST_OK) {
        log_debug("%s", status_message());
        status_clear();
    }
}

/* Time in which this thread did not come round is time in which the process did not run. */
static void look_at_clock(FlightWatch *watch) {
    double now = clock_now(), passed = now - watch->looked;
    watch->looked = now;
    if (passed > STOOD_MIN_S &&
        (passed > watch->stood_s || now - watch->stood_until > STOOD_LATELY_S)) {
        watch->stood_s = passed;
        watch->stood_until = now;
    }
}

/* What the process has asked for; false: it is to end. */
static bool serve(FlightWatch *watch) {
    char reason[FLIGHT_REASON_MAX];
    pthread_mutex_lock(&watch->lock);
    bool wanted = watch->wanted, stop = watch->stop;
    memcpy(reason, watch->reason, sizeof reason);
    pthread_mutex_unlock(&watch->lock);
    if (!wanted)
        return !stop;
    watch->ends = watch->kept = true;
    write_now(watch, reason);
    pthread_mutex_lock(&watch->lock);
    watch->wanted = false;
    pthread_cond_broadcast(&watch->written);
    pthread_mutex_unlock(&watch->lock);
    return !stop;
}

/* What those ask for who do not wait for it. `quit`: somebody has sent SIGQUIT. What SIGTERM asks
 * for has been done where the end of the run was heard before. */
static void heed(FlightWatch *watch, bool quit) {
    if (quit) {
        watch->kept = true;
        write_now(watch, "SIGQUIT");
    }
    if (!watch->ends && watch->comm->control->ends(watch->comm)) {
        watch->ends = watch->kept = true;
        write_now(watch, "another rank ends the run");
    }
    if (atomic_exchange(&asked, false) && !watch->ends) {
        watch->on_term = true;
        write_now(watch, "SIGTERM");
    }
}

static void *watch_main(void *context) {
    FlightWatch *watch = context;
    const struct timespec limit = {.tv_nsec = LOOK_NS};
    sigset_t quit;
    only_quit(&quit);
    pthread_setname_np(pthread_self(), "flight");
    watch->looked = clock_now();
    while (serve(watch)) {
        siginfo_t info = {0};
        int signal = sigtimedwait(&quit, &info, &limit);
        look_at_clock(watch);
        bool own = info.si_pid == getpid();
        heed(watch, signal == SIGQUIT && !own);
    }
    return NULL;
}

static void wake(FlightWatch *watch) {
    pthread_kill(watch->thread, SIGQUIT);
}

void comm_write_record(Comm *comm, const char *reason) {
    FlightWatch *watch = comm->watch;
    if (!watch)
        return;
    Deadline deadline = deadline_after(PATIENCE_S);
    pthread_mutex_lock(&watch->lock);
    snprintf(watch->reason, sizeof watch->reason, "%.*s", (int)strcspn(reason, "\n"), reason);
    watch->wanted = true;
    wake(watch);
    while (watch->wanted && !deadline_passed(&deadline))
        cond_wait_before(&watch->written, &watch->lock, &deadline);
    pthread_mutex_unlock(&watch->lock);
}

/* ---- where to ---- */

/* A folder of this start's own in TMPDIR needs no other above it. */
static Status place(FlightWatch *watch, const char *run) {
    const char *temporary = getenv("TMPDIR");
    int n;
    if (find_owner(run, &watch->owner) && access(run, W_OK | X_OK) == 0) {
        snprintf(watch->run, PATH_BYTES, "%s", run);
        n = snprintf(watch->parent, PATH_BYTES, "%s/flight", run);
        if (n < PATH_BYTES)
            n = snprintf(watch->folder, PATH_BYTES, "%s/flight/%s", run, watch->start);
    } else {
        n = snprintf(watch->folder, PATH_BYTES, "%s/lockstep-flight-%s",
                     temporary && *temporary ? temporary : "/tmp", watch->start);
    }
    if (n < PATH_BYTES)
        n = snprintf(watch->path, PATH_BYTES, "%s/rank-%d", watch->folder, watch->comm->rank);
    return n < PATH_BYTES ? ST_OK : FAIL(ST_INTERNAL, "%s: too long a path for a record", run);
}

static void watch_free(FlightWatch *watch) {
    if (!watch)
        return;
    free(watch->hosts);
    free(watch);
}

static Status fill(FlightWatch *watch, const char *run) {
    Comm *comm = watch->comm;
    watch->hosts = calloc((size_t)comm->size, sizeof *watch->hosts);
    TRY_ALLOC(watch->hosts);
    for (int r = 0; r < comm->size; r++)
        snprintf(watch->hosts[r], sizeof *watch->hosts, "%s", comm->control->host(comm, r));
    TRY(place(watch, run));
    TRY(cond_init_monotonic(&watch->written));
    pthread_mutex_init(&watch->lock, NULL);
    int error = pthread_create(&watch->thread, NULL, watch_main, watch);
    if (error) {
        pthread_mutex_destroy(&watch->lock);
        pthread_cond_destroy(&watch->written);
        return FAIL(ST_INTERNAL, "cannot start a thread: %s", strerror(error));
    }
    return ST_OK;
}

Status comm_record(Comm *comm, const char *run, const char *start, char where[4096]) {
    FlightWatch *watch = calloc(1, sizeof *watch);
    TRY_ALLOC(watch);
    watch->comm = comm;
    snprintf(watch->start, sizeof watch->start, "%s", start);
    Status status = fill(watch, run);
    if (status != ST_OK) {
        watch_free(watch);
        return status;
    }
    memcpy(where, watch->folder, PATH_BYTES);
    comm->watch = watch;
    return ST_OK;
}

void flight_watch_stop(Comm *comm) {
    FlightWatch *watch = comm->watch;
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    wake(watch);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    if (watch->on_term && !watch->kept) { /* it asked the run to stop, which has come to its end */
        unlink(watch->path);
        rmdir(watch->folder);
        if (watch->parent[0])
            rmdir(watch->parent);
    }
    pthread_mutex_destroy(&watch->lock);
    pthread_cond_destroy(&watch->written);
    watch_free(watch);
    comm->watch = NULL;
}
