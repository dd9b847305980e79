/* replay: a step's communication on real ranks, with compute that sleeps as if a GPU did it.
 *
 * The buckets of a pattern go through the trainer's own reducer and communicator. Two uses: the
 * time of single messages, from which a network's latency and bandwidth follow, and whole steps,
 * which the simulation must foretell.
 *
 *     mpirun -np N build/bench/scale/replay REPEATS COMPUTED_S PATTERN...
 *
 * Prints medians: message,RANKS,BYTES,SECONDS and step,RANKS,NAME,REDUCTION,COMPUTED,STEP,EXPOSED.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/reducer.h"
#include "timeline.h"

enum { REPEATS_MAX = 1000, WARM = 2, PATTERNS_MAX = 8, SIZES = 3, BURST = 8 };
static const double DEADLINE_S = 60;
static const int64_t sizes[SIZES] = {8192, 1048576, 4194304}; /* bytes of single messages */

typedef struct Replay {
    Comm *comm;
    char *data; /* all messages are summed here: what they hold does not matter */
    int patterns;
    Pattern *pattern; /* [patterns] */
    Timeline timeline[PATTERNS_MAX];
    Reducer *reducer[PATTERNS_MAX];
    double message_s[SIZES][REPEATS_MAX];
    double step_s[PATTERNS_MAX][REPEATS_MAX], exposed_s[PATTERNS_MAX][REPEATS_MAX];
} Replay;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

static Status one_message(Replay *r, int64_t bytes, double *seconds) {
    TRY(comm_barrier(r->comm));
    double start = clock_now();
    for (int i = 0; i < BURST; i++) /* as a step's buckets: one after another */
        TRY(comm_reduce(r->comm, r->data, bytes / (int64_t)sizeof(int64_t), DT_I64, NULL, 0));
    *seconds = (clock_now() - start) / BURST;
    return comm_max_f64(r->comm, seconds, 1);
}

static void sleep_until(double when) {
    double left = when - clock_now();
    if (left > 0)
        clock_sleep(left);
}

static Status one_step(Comm *comm, Reducer *reducer, const Pattern *pattern,
                       const Timeline *timeline, double *step, double *exposed) {
    double busy;
    TRY(comm_barrier(comm));
    double start = clock_now();
    reducer_begin(reducer, 0);
    for (int b = pattern->buckets - 1; b >= 0; b--) {
        sleep_until(start + timeline->ready[b]);
        reducer_submit(reducer, b);
    }
    double computed = clock_now();
    TRY(reducer_wait(reducer, &busy));
    *step = clock_now() - start;
    *exposed = clock_now() - computed;
    TRY(comm_max_f64(comm, step, 1));
    return comm_max_f64(comm, exposed, 1);
}

static Status start_reducer(Replay *r, int p) {
    static BucketMessage messages[PATTERN_MESSAGES][2];
    const Pattern *pattern = &r->pattern[p];
    DType narrow = strcmp(pattern->reduction, "native") == 0 ? DT_F32 : DT_I32;
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < pattern->messages; i++) {
        const PatternMessage *m = &pattern->message[i];
        int part = messages[m->bucket][0].count > 0;
        messages[m->bucket][part] =
            (BucketMessage){r->data, m->count, m->bytes == 8 ? DT_I64 : narrow, NULL};
    }
    return reducer_start(r->comm, pattern->buckets, (const BucketMessage(*)[2])messages, NULL,
                         &r->reducer[p]);
}

/* Everything in turn, so that what else the machine does falls on all alike. */
static Status measure(Replay *r, int repeats) {
    for (int i = -WARM; i < repeats; i++) {
        int at = i < 0 ? 0 : i;
        for (int m = 0; m < SIZES; m++)
            TRY(one_message(r, sizes[m], &r->message_s[m][at]));
        for (int p = 0; p < r->patterns; p++)
            TRY(one_step(r->comm, r->reducer[p], &r->pattern[p], &r->timeline[p], &r->step_s[p][at],
                         &r->exposed_s[p][at]));
    }
    return ST_OK;
}

static void print(Replay *r, int repeats) {
    int ranks = comm_size(r->comm);
    for (int m = 0; m < SIZES; m++)
        printf("message,%d,%" PRId64 ",%.9f\n", ranks, sizes[m], median(r->message_s[m], repeats));
    for (int p = 0; p < r->patterns; p++)
        printf("step,%d,%s,%s,%.6f,%.6f,%.6f\n", ranks, r->pattern[p].name, r->pattern[p].reduction,
               r->timeline[p].computed, median(r->step_s[p], repeats),
               median(r->exposed_s[p], repeats));
}

static Status replay(Replay *r, int repeats, double computed) {
    Rates rates = {.images = 1, .flops = 1};
    size_t bytes = 1 << 23; /* above the largest single message and bucket 0's tail */
    for (int p = 0; p < r->patterns; p++) {
        for (int m = 0; m < r->pattern[p].messages; m++) {
            size_t one = (size_t)r->pattern[p].message[m].count * sizeof(int64_t);
            bytes = one > bytes ? one : bytes;
        }
    }
    r->data = calloc(bytes, 1);
    TRY_ALLOC(r->data);
    for (int p = 0; p < r->patterns; p++) {
        timeline_make(&r->pattern[p], &rates, computed, &r->timeline[p]);
        TRY(start_reducer(r, p));
    }
    TRY(measure(r, repeats));
    if (comm_rank(r->comm) == 0)
        print(r, repeats);
    return ST_OK;
}

int main(int argc, char **argv) {
    static Replay r;
    int repeats = argc > 3 ? atoi(argv[1]) : 0;
    double computed = argc > 3 ? atof(argv[2]) : 0;
    r.patterns = argc - 3;
    if (repeats < 1 || repeats > REPEATS_MAX || computed <= 0 || r.patterns > PATTERNS_MAX) {
        fprintf(stderr, "usage: replay REPEATS COMPUTED_S PATTERN...\n");
        return ST_USAGE;
    }
    r.pattern = calloc((size_t)r.patterns, sizeof *r.pattern);
    for (int p = 0; p < r.patterns; p++) {
        if (!r.pattern || !pattern_read(argv[3 + p], &r.pattern[p]))
            return ST_USAGE;
    }
    Status status = comm_launched() ? comm_open_mpi(NULL, NULL, DEADLINE_S, &r.comm)
                                    : comm_open_self(DEADLINE_S, &r.comm);
    if (status != ST_OK) {
        log_fatal(-1, status_message());
        return (int)status;
    }
    status = replay(&r, repeats, computed);
    if (status != ST_OK)
        comm_abort(r.comm, status);
    for (int p = 0; p < r.patterns; p++)
        reducer_stop(r.reducer[p]);
    comm_close(r.comm);
    free(r.pattern);
    free(r.data);
    return 0;
}
