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
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"

enum { NAMES_MAX = 8, ABORT_LIMIT_S = 30, SEND_POLLS = 4 };

static const double EXCHANGE_S = 2, PLACE_S = 1, RANK_S = 0.05, RANK_MAX_S = 1, HUSH_S = 10;
/* Of a lost rank all find out, each in a wait of its own. */
static const double LOSS_RANK_S = 0.3, LOSS_RANK_MAX_S = 3;
/* In which the others hear that the run ends, and write their records. */
static const double LINGER_S = 0.3;
/* A wait so long is worth a message. */
static const double COMPARE_AFTER_S = 1;
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
    if (comm->survives)
        mpi->ulfm.acknowledge(mpi->watch);
    while (MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, mpi->watch, &found, &from) == MPI_SUCCESS &&
           found) {
        Report report = {0}; /* the longest message of these */
        if (MPI_Recv(&report, sizeof report, MPI_BYTE, from.MPI_SOURCE, from.MPI_TAG, mpi->watch,
                     MPI_STATUS_IGNORE) != MPI_SUCCESS)
            break;
        if (from.MPI_TAG == TAG_REPORT)
            mpi->reports[from.MPI_SOURCE] = report;
        else if (from.MPI_TAG == TAG_SPOKEN)
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

/* Whether the ranks have made different collectives, and how, by all reports. `parted`: that they
 * have is known. */
static bool describe_parting(const Comm *comm, bool parted, Line *line) {
    const Mpi *mpi = comm->control_state;
    for (int r = 0; r < comm->size; r++) {
        Report *report = &mpi->reports[r];
        mpi->records[r] = (FlightRecord){.present = report->present,
                                         .rank = r,
                                         .size = comm->size,
                                         .now = report->now,
                                         .entry = report->call,
                                         .n = report->calls};
        snprintf(mpi->records[r].host, sizeof mpi->records[r].host, "%s", mpi->hosts[r]);
    }
    if (flight_mismatch(mpi->records, comm->size, line->text, sizeof line->text)) {
        line->used = strlen(line->text);
        return true;
    }
    for (int r = 0; r < comm->size; r++)
        parted = parted || mpi->reports[r].parted;
    if (!parted)
        return false;
    char verdict[STATUS_MESSAGE_MAX];
    flight_verdict(mpi->records, comm->size, verdict, sizeof verdict);
    add(line, "the ranks have made different collectives: %s", verdict);
    return true;
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

/* Where the rest of the story is. */
static void add_hint(const Comm *comm, Line *line) {
    if (comm->watch)
        add(line, "; `lockstep flight` of the run directory tells more");
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
        if (comm->watch)
            clock_sleep(LINGER_S);
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

/* The buffer is no thread's own: Comm.ending is held. */
static void add_work(const Comm *comm, Report *report) {
    static FlightEntry entries[FLIGHT_ENTRIES];
    FlightRecord record = {.entry = entries, .n = flight_entries(comm->flight, entries)};
    const FlightEntry *work = flight_works_on(&record);
    if (work)
        report->call[report->calls++] = *work;
}

/* Sends this rank's report to all, and takes in theirs until all are there, or for two seconds. */
static void exchange(Comm *comm, int bucket, bool parted, bool *spoken) {
    Mpi *mpi = comm->control_state;
    mpi->mine = (Report){.step = comm->step,
                         .stage = bucket >= 0 ? STAGE_REDUCE : comm->stage,
                         .bucket = bucket,
                         .present = 1,
                         .parted = parted,
                         .now = clock_now()};
    add_work(comm, &mpi->mine);
    for (int plane = 0; plane < FLIGHT_PLANES; plane++)
        mpi->mine.calls += flight_recent(comm->flight, (FlightPlane)plane,
                                         &mpi->mine.call[mpi->mine.calls], REPORT_CALLS);
    mpi->reports[comm->rank] = mpi->mine;
    tell_all(comm, TAG_REPORT);
    Deadline deadline = deadline_after(EXCHANGE_S);
    while (mpi->watching && listen(comm, spoken) < comm->size && !*spoken &&
           !deadline_passed(&deadline))
        clock_sleep(POLL_S);
}

/* Those below that have reported speak first. */
static double place_of(const Comm *comm, bool spoken) {
    const Mpi *mpi = comm->control_state;
    int place = 0;
    for (int r = 0; r < comm->rank; r++)
        place += mpi->reports[r].present;
    return spoken ? HUSH_S : place * PLACE_S;
}

/* Comm.ending is held. `parted`: the ranks are known to have made different collectives. */
static void __attribute__((noreturn)) expire_locked(Comm *comm, int bucket, bool parted) {
    bool spoken = false;
    comm_write_record(comm, parted ? "ranks have made different collectives"
                                   : "a wait was longer than the deadline");
    exchange(comm, bucket, parted, &spoken);
    Line line = {.used = 0};
    parted = describe_parting(comm, parted, &line);
    if (!parted)
        describe(comm, &line);
    add_hint(comm, &line);
    end_with(comm, parted ? ST_COMM : ST_DEADLINE, line.text, place_of(comm, spoken));
}

void mpi_expire(Comm *comm, int bucket) {
    pthread_mutex_lock(&comm->ending);
    expire_locked(comm, bucket, false);
}

void mpi_part(Comm *comm) {
    pthread_mutex_lock(&comm->ending);
    expire_locked(comm, -1, true);
}

bool mpi_ends(Comm *comm) {
    const Mpi *mpi = comm->control_state;
    int found = 0;
    for (int tag = TAG_REPORT; tag <= TAG_SPOKEN && !found; tag++)
        if (MPI_Iprobe(MPI_ANY_SOURCE, tag, mpi->watch, &found, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return false;
    return found;
}

void mpi_watch(Comm *comm, int bucket, double waited) {
    const Mpi *mpi = comm->control_state;
    if (pthread_mutex_trylock(&comm->ending) != 0)
        return;
    int found = 0;
    if (mpi->watching &&
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_REPORT, mpi->watch, &found, MPI_STATUS_IGNORE) ==
            MPI_SUCCESS &&
        found)
        expire_locked(comm, bucket, false);
    if (waited > COMPARE_AFTER_S && mpi_compare(comm))
        expire_locked(comm, bucket, true);
    pthread_mutex_unlock(&comm->ending);
}

void mpi_end(Comm *comm, Status status, const char *message) {
    const Mpi *mpi = comm->control_state;
    pthread_mutex_lock(&comm->ending);
    bool lost = status == ST_LOST || mpi->stuck; /* where nobody goes on */
    double delay = comm->rank * (lost ? LOSS_RANK_S : RANK_S);
    double most = lost ? LOSS_RANK_MAX_S : RANK_MAX_S;
    comm_write_record(comm, message ? message : status_word(status));
    if (status == ST_COMM && message &&
        mpi->watching) { /* MPI may have failed of what ranks did not make alike */
        bool spoken = false;
        Line line = {.used = 0};
        exchange(comm, -1, false, &spoken);
        if (describe_parting(comm, false, &line)) {
            add_hint(comm, &line);
            end_with(comm, status, line.text, place_of(comm, spoken));
        }
    }
    end_with(comm, status == ST_LOST ? ST_COMM : status, message, delay < most ? delay : most);
}
