/* comm_mpi_end: how a run of several ranks ends badly, with one line.
 *
 * Deadlines. A rank whose wait has passed its deadline sends all others a report of where it waits.
 * Waiting ranks look for reports now and then; whoever finds one takes the run for lost too and
 * sends its own. So after two seconds each of them knows who is stuck: those who have not reported
 * because they do not wait for anything. The lowest that reported speaks and aborts; each other one
 * gives those below it a second each, in case they were cut off in between.
 *
 * Aborts. A failing rank gives lower ranks a moment to speak, for they may have failed of the same
 * cause. Whoever speaks first sends SPOKEN to all; who hears that keeps silent and waits to be
 * killed, and ends the run itself only if that does not come.
 *
 * Comm.ending is held from here on, so no second thread of a rank gets this far. MPI errors are
 * ignored throughout: there is nobody left to tell. */
#include "comm_mpi_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"

enum { TAG_REPORT = 1, TAG_SPOKEN = 2 };
enum { NAMES_MAX = 8, ABORT_LIMIT_S = 30, SEND_POLLS = 4 };

static const double EXCHANGE_S = 2, PLACE_S = 1, RANK_S = 0.05, RANK_MAX_S = 1, HUSH_S = 10;
static const double POLL_S = 0.005;

/* Text that is cut off at the end of its buffer. */
typedef struct Line {
    char text[STATUS_MESSAGE_MAX];
    size_t used;
} Line;

static void __attribute__((format(printf, 2, 3))) add(Line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line->text + line->used, sizeof line->text - line->used, format, arguments);
    va_end(arguments);
    if (n > 0)
        line->used += (size_t)n;
    if (line->used >= sizeof line->text)
        line->used = sizeof line->text - 1;
}

/* The buffer of mpi->mine and the requests live until the process ends. */
static void tell_all(Comm *comm, int tag) {
    Mpi *mpi = comm->control_state;
    for (int r = 0; r < comm->size && mpi->watching; r++) {
        MPI_Request request;
        if (r != comm->rank && MPI_Isend(&mpi->mine, sizeof mpi->mine, MPI_BYTE, r, tag, mpi->watch,
                                         &request) == MPI_SUCCESS)
            MPI_Request_free(&request);
    }
}

/* Takes in what has arrived; returns how many ranks have reported. *spoken becomes true where some
 * rank has spoken. Also drives our own messages. */
static int listen(Comm *comm, bool *spoken) {
    Mpi *mpi = comm->control_state;
    int found = 0, reported = 0;
    MPI_Status from;
    if (!mpi->watching)
        return 0;
    while (MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, mpi->watch, &found, &from) == MPI_SUCCESS &&
           found) {
        Report report = {0};
        if (MPI_Recv(&report, sizeof report, MPI_BYTE, from.MPI_SOURCE, from.MPI_TAG, mpi->watch,
                     MPI_STATUS_IGNORE) != MPI_SUCCESS)
            break;
        if (from.MPI_TAG == TAG_REPORT)
            mpi->reports[from.MPI_SOURCE] = report;
        else
            *spoken = true;
    }
    for (int r = 0; r < comm->size; r++)
        reported += mpi->reports[r].present;
    return reported;
}

/* Ranks that report the same place as rank `first`: "; rank 0, 2-4 wait in step 12, reduce". */
static void add_group(const Comm *comm, Report *reports, int first, Line *line) {
    const Report *at = &reports[first];
    int members = 0, last = -2, run = 0;
    add(line, "; rank ");
    for (int r = first; r <= comm->size; r++) {
        bool member = r < comm->size && reports[r].present && reports[r].step == at->step &&
                      reports[r].stage == at->stage && reports[r].bucket == at->bucket;
        if (!member) {
            /* A run of three and more ends as "-last"; of two, as ", last". */
            if (run > 1)
                add(line, run > 2 ? "-%d" : ", %d", last);
            run = 0;
            continue;
        }
        reports[r].named = 1;
        if (run++ == 0)
            add(line, members ? ", %d" : "%d", r);
        members++;
        last = r;
    }
    add(line, members > 1 ? " wait in " : " waits in ");
    if (at->step >= 0)
        add(line, "step %" PRId64 ", ", at->step);
    add(line, "%s", comm_stage_word((Stage)at->stage));
    if (at->bucket >= 0)
        add(line, ", bucket %d", at->bucket);
}

static void describe(const Comm *comm, Line *line) {
    const Mpi *mpi = comm->control_state;
    int silent = 0;
    for (int r = 0; r < comm->size; r++) {
        if (mpi->reports[r].present)
            continue;
        if (silent < NAMES_MAX)
            add(line, "%s%d (%s)", silent ? ", " : "rank ", r, mpi->hosts[r]);
        silent++;
    }
    if (silent > NAMES_MAX)
        add(line, " and %d more", silent - NAMES_MAX);
    if (silent > 0)
        add(line, " did not answer within %g s", comm->deadline);
    else
        add(line, "the ranks wait for each other in different places for %g s", comm->deadline);
    for (int r = 0; r < comm->size; r++) {
        if (mpi->reports[r].present && !mpi->reports[r].named)
            add_group(comm, mpi->reports, r, line);
    }
}

/* Ends all ranks; `message` (unless NULL) after `delay` seconds in which no other rank spoke. */
static void __attribute__((noreturn))
end_with(Comm *comm, Status status, const char *message, double delay) {
    bool spoken = false;
    if (message) {
        Deadline turn = deadline_after(delay);
        listen(comm, &spoken);
        while (!spoken && !deadline_passed(&turn)) {
            clock_sleep(POLL_S);
            listen(comm, &spoken);
        }
        if (spoken)
            clock_sleep(HUSH_S);
        tell_all(comm, TAG_SPOKEN);
        for (int i = 0; i < SEND_POLLS; i++) { /* over a network it may take a connection first */
            listen(comm, &spoken);
            clock_sleep(POLL_S);
        }
        log_fatal(comm->step, message);
    }
    fflush(stdout);
    if (comm->data->abort)
        comm->data->abort(comm->data_state);
    /* Should MPI_Abort hang too, because the launcher is gone, the kernel ends this rank. */
    signal(SIGALRM, SIG_DFL);
    alarm(ABORT_LIMIT_S);
    MPI_Abort(MPI_COMM_WORLD, (int)status);
    _exit((int)status);
}

/* Comm.ending is held. */
static void __attribute__((noreturn)) expire_locked(Comm *comm, int bucket) {
    Mpi *mpi = comm->control_state;
    mpi->mine = (Report){.step = comm->step,
                         .stage = bucket >= 0 ? STAGE_REDUCE : comm->stage,
                         .bucket = bucket,
                         .present = 1};
    mpi->reports[comm->rank] = mpi->mine;
    tell_all(comm, TAG_REPORT);
    bool spoken = false;
    Deadline exchange = deadline_after(EXCHANGE_S);
    while (listen(comm, &spoken) < comm->size && !spoken && !deadline_passed(&exchange))
        clock_sleep(POLL_S);
    int place = 0;
    for (int r = 0; r < comm->rank; r++)
        place += mpi->reports[r].present;
    Line line = {.used = 0};
    describe(comm, &line);
    end_with(comm, ST_DEADLINE, line.text, spoken ? HUSH_S : place * PLACE_S);
}

void mpi_expire(Comm *comm, int bucket) {
    pthread_mutex_lock(&comm->ending);
    expire_locked(comm, bucket);
}

void mpi_watch(Comm *comm, int bucket) {
    Mpi *mpi = comm->control_state;
    if (pthread_mutex_trylock(&comm->ending) != 0)
        return;
    int found = 0;
    if (MPI_Iprobe(MPI_ANY_SOURCE, TAG_REPORT, mpi->watch, &found, MPI_STATUS_IGNORE) ==
            MPI_SUCCESS &&
        found)
        expire_locked(comm, bucket);
    pthread_mutex_unlock(&comm->ending);
}

void mpi_end(Comm *comm, Status status, const char *message) {
    pthread_mutex_lock(&comm->ending);
    double delay = comm->rank * RANK_S;
    end_with(comm, status, message, delay < RANK_MAX_S ? delay : RANK_MAX_S);
}
