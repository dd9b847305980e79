/* clock: monotonic time, and the time in which this process ran. See clock.h.
 *
 * The system tells nobody how long a process was stopped. So a thread looks at the clock ten times
 * a second: where far more time has passed between two of its looks, nothing of the process ran. A
 * reader that comes before that thread's next look counts no more either, so it does not matter who
 * wakes first. On a machine that is so busy that the thread comes late, deadlines take longer. */
#include "lockstep/clock.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

/* Between two looks; and how much of what passed between them counts. */
static const double LOOK_EVERY_S = 0.1, COUNTS_S = 0.5;

/* Of this process, as its clock is. */
static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    bool watched;  /* the thread is there; else the clock is clock_now's */
    double looked; /* clock_now at its last look */
    double stood;  /* seconds that have not counted, up to then */
} run = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_thread(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* With the lock held. */
static double running(double now) {
    return run.watched ? fmin(now, run.looked + COUNTS_S) - run.stood : now;
}

static void *look(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "clock");
    for (;;) {
        clock_sleep(LOOK_EVERY_S);
        pthread_mutex_lock(&run.lock);
        double now = clock_now();
        run.stood = now - running(now);
        run.looked = now;
        pthread_mutex_unlock(&run.lock);
    }
    return NULL;
}

static void begin(void) {
    pthread_t thread;
    pthread_mutex_lock(&run.lock);
    run.looked = clock_now();
    run.watched = pthread_create(&thread, NULL, look, NULL) == 0;
    if (run.watched)
        pthread_detach(thread);
    pthread_mutex_unlock(&run.lock);
}

double clock_running(void) {
    pthread_once(&run.once, begin);
    pthread_mutex_lock(&run.lock);
    double seconds = running(clock_now());
    pthread_mutex_unlock(&run.lock);
    return seconds;
}

Deadline deadline_after(double seconds) {
    return (Deadline){seconds, clock_running() + seconds};
}

bool deadline_passed(const Deadline *deadline) {
    return clock_running() >= deadline->end;
}

void clock_sleep(double seconds) {
    if (seconds <= 0)
        return;
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void clock_iso8601(char out[21]) {
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
