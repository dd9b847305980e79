/* standstill: see standstill.h. */
#include "standstill.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/thread.h"

static const double LEAST_S = 2, LOOK_EVERY_S = 0.25;

struct Standstill {
    Comm *comm;        /* borrowed */
    const char *place; /* borrowed */
    pid_t main_id;     /* as the kernel has it */
    clockid_t main_clock;
    pthread_t thread;
    pthread_mutex_t lock; /* guards stop and failure */
    pthread_cond_t stopping;
    bool stop;
    Status failure;
};

/* Calls whose first argument is an open file. */
static const long on_files[] = {SYS_read,  SYS_pread64,   SYS_write, SYS_pwrite64, SYS_writev,
                                SYS_fsync, SYS_fdatasync, SYS_flock, SYS_fcntl,    SYS_close};

/* The open file whose call keeps the main thread; "" where that cannot be told. */
static void find_file(const Standstill *standstill, char path[4096]) {
    char name[64], text[128];
    long call;
    unsigned long argument;
    path[0] = '\0';
    snprintf(name, sizeof name, "/proc/self/task/%ld/syscall", (long)standstill->main_id);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%ld %lx", &call, &argument) != 2)
        return;
    for (size_t i = 0; i < sizeof on_files / sizeof *on_files; i++) {
        if (call != on_files[i])
            continue;
        snprintf(name, sizeof name, "/proc/self/fd/%lu", argument);
        n = readlink(name, path, 4095);
        path[n > 0 ? n : 0] = '\0';
    }
}

static void __attribute__((noreturn))
give_up(const Standstill *standstill, Status failure, double seconds) {
    char path[4096];
    find_file(standstill, path);
    if (failure != ST_OK)
        (void)status_put(&(StatusRecord){.status = failure});
    else if (path[0])
        (void)FAIL(ST_DEADLINE, "%s: its file system has not answered for %g s", path, seconds);
    else
        (void)FAIL(ST_DEADLINE,
                   "a call of the system has not come back for %g s: the file system of %s, or of "
                   "the images, does not answer",
                   seconds, standstill->place);
    comm_abort(standstill->comm, failure != ST_OK ? failure : ST_DEADLINE);
}

/* Seconds of processor time of the main thread. */
static double used(const Standstill *standstill) {
    struct timespec t;
    return clock_gettime(standstill->main_clock, &t) == 0
               ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec
               : (double)NAN;
}

static void *watch(void *argument) {
    Standstill *standstill = argument;
    double seconds = fmax(comm_deadline(standstill->comm) / 2, LEAST_S);
    double before = -1;
    Deadline deadline = deadline_after(seconds);
    pthread_setname_np(pthread_self(), "standstill");
    pthread_mutex_lock(&standstill->lock);
    while (!standstill->stop) {
        Deadline next = deadline_after(LOOK_EVERY_S);
        while (!standstill->stop && !deadline_passed(&next))
            cond_wait_before(&standstill->stopping, &standstill->lock, &next);
        double now = used(standstill);
        if (now != before) {
            before = now;
            deadline = deadline_after(seconds);
        } else if (!standstill->stop && deadline_passed(&deadline)) {
            Status failure = standstill->failure;
            pthread_mutex_unlock(&standstill->lock);
            give_up(standstill, failure, seconds);
        }
    }
    pthread_mutex_unlock(&standstill->lock);
    return NULL;
}

Status standstill_start(Comm *comm, const char *place, Standstill **result) {
    Status status = ST_OK;
    Standstill *standstill = calloc(1, sizeof *standstill);
    TRY_ALLOC(standstill);
    standstill->comm = comm;
    standstill->place = place;
    standstill->main_id = (pid_t)syscall(SYS_gettid);
    pthread_mutex_init(&standstill->lock, NULL);
    TRY_DONE(cond_init_monotonic(&standstill->stopping));
    if (pthread_getcpuclockid(pthread_self(), &standstill->main_clock) == 0 &&
        pthread_create(&standstill->thread, NULL, watch, standstill) == 0) {
        *result = standstill;
        return ST_OK;
    }
    pthread_cond_destroy(&standstill->stopping);
    status = FAIL(ST_INTERNAL, "cannot start the thread that watches the main one");
done:
    pthread_mutex_destroy(&standstill->lock);
    free(standstill);
    return status;
}

void standstill_failed(Standstill *standstill, Status status) {
    if (!standstill)
        return;
    pthread_mutex_lock(&standstill->lock);
    standstill->failure = status;
    pthread_mutex_unlock(&standstill->lock);
}

void standstill_stop(Standstill *standstill) {
    if (!standstill)
        return;
    pthread_mutex_lock(&standstill->lock);
    standstill->stop = true;
    pthread_cond_signal(&standstill->stopping);
    pthread_mutex_unlock(&standstill->lock);
    pthread_join(standstill->thread, NULL);
    pthread_cond_destroy(&standstill->stopping);
    pthread_mutex_destroy(&standstill->lock);
    free(standstill);
}
