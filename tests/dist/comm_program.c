/* comm_program MODE [ARGUMENT]: one collective behaviour of comm.h, to be run under mpirun by
 * comm.sh. Prints `rank R: ok` where the mode is one that must succeed; fails otherwise with a
 * message and exit code 1, or in the way the mode is about. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/comm.h"
#include "lockstep/reducer.h"

static const double DEADLINE_S = 2;

typedef Status (*ModeRun)(Comm *comm, int64_t argument);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return FAIL(ST_INTERNAL, "check failed: %s", #condition);                              \
    } while (0)

/* Values of any rank, computed by all: a multiplicative hash of (rank, i). */
static int64_t value_of(int rank, int64_t i) {
    uint64_t x = (uint64_t)(rank + 1) * 0x9e3779b97f4a7c15u + (uint64_t)i * 0xd1342543de82ef95u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return (int64_t)(x >> 8) - ((int64_t)1 << 55);
}

static Status run_launched(Comm *comm, int64_t ranks) {
    CHECK(comm_launched());
    CHECK(comm_size(comm) == ranks);
    CHECK(comm_local_size(comm) == ranks); /* one host */
    CHECK(comm_local_rank(comm) == comm_rank(comm));
    CHECK(strncmp(comm_library(comm), "Open MPI v", 10) == 0 && !strchr(comm_library(comm), ','));
    CHECK(strlen(comm_host(comm)) > 0);
    CHECK(comm_deadline(comm) == DEADLINE_S);
    return ST_OK;
}

static Status run_collectives(Comm *comm, int64_t bytes) {
    int rank = comm_rank(comm), size = comm_size(comm);
    char *mine = malloc((size_t)bytes), *all = malloc((size_t)(bytes * size));
    TRY_ALLOC(mine);
    TRY_ALLOC(all);
    for (int root = 0; root < size; root++) {
        memset(mine, rank == root ? 'a' + root : '?', (size_t)bytes);
        TRY(comm_bcast(comm, mine, (size_t)bytes, root));
        for (int64_t i = 0; i < bytes; i++)
            CHECK(mine[i] == 'a' + root);
    }
    memset(mine, 'A' + rank, (size_t)bytes);
    TRY(comm_allgather(comm, mine, (size_t)bytes, all));
    for (int64_t i = 0; i < bytes * size; i++)
        CHECK(all[i] == 'A' + i / bytes);
    int64_t sums[2] = {rank, (int64_t)1 << 40};
    TRY(comm_sum_i64(comm, sums, 2));
    CHECK(sums[0] == size * (size - 1) / 2 && sums[1] == (int64_t)size << 40);
    double most[2] = {rank, -rank};
    TRY(comm_max_f64(comm, most, 2));
    CHECK(most[0] == size - 1 && most[1] == 0);
    TRY(comm_barrier(comm));
    TRY(comm_same(comm, "config", "the same text"));
    CHECK(comm_agree(comm, ST_OK) == ST_OK);
    free(all);
    free(mine);
    return ST_OK;
}

static Status run_reduce(Comm *comm, int64_t count) {
    int64_t *sums = malloc((size_t)count * sizeof *sums);
    float *reals = malloc((size_t)count * sizeof *reals);
    TRY_ALLOC(sums);
    TRY_ALLOC(reals);
    for (int64_t i = 0; i < count; i++) {
        sums[i] = value_of(comm_rank(comm), i);
        reals[i] = (float)(comm_rank(comm) + i % 1000); /* sums exactly */
    }
    TRY(comm_reduce(comm, sums, count, DT_I64, NULL, 0));
    TRY(comm_reduce(comm, reals, count, DT_F32, NULL, 1));
    int size = comm_size(comm);
    for (int64_t i = 0; i < count; i++) {
        int64_t expected = 0;
        for (int r = 0; r < size; r++)
            expected += value_of(r, i);
        CHECK(sums[i] == expected);
        CHECK(reals[i] == (float)(size * (size - 1) / 2 + size * (i % 1000)));
    }
    free(reals);
    free(sums);
    return ST_OK;
}

/* Rank `failing` fails, and every rank after it too, for another reason. */
static Status run_agree(Comm *comm, int64_t failing) {
    Status status = ST_OK;
    comm_at(comm, 12, STAGE_CHECKPOINT);
    if (comm_rank(comm) == failing)
        status = FAIL(ST_DATA, "file of rank %d is bad", comm_rank(comm));
    else if (comm_rank(comm) > failing)
        status = FAIL(ST_CHECKPOINT, "a later failure");
    return comm_agree(comm, status);
}

static Status run_same(Comm *comm, int64_t different) {
    char text[32];
    snprintf(text, sizeof text, "seed %d", comm_rank(comm) >= different ? 8 : 7);
    return comm_same(comm, "configuration", text);
}

/* Rank `late` comes late, but before the deadline. */
static Status run_late(Comm *comm, int64_t late) {
    if (comm_rank(comm) == late)
        clock_sleep(0.6 * DEADLINE_S);
    return comm_barrier(comm);
}

/* Rank `stuck` never comes to the barrier. Ranks 2 and more would wait for long, but answer. */
static Status run_stuck(Comm *comm, int64_t stuck) {
    comm_at(comm, 7, STAGE_CHECKPOINT);
    if (comm_rank(comm) >= 2)
        comm_set_deadline(comm, 30);
    if (comm_rank(comm) == stuck)
        clock_sleep(60);
    return comm_barrier(comm);
}

/* The even ranks wait in a barrier of the control plane, the odd ones in a bucket. */
static Status run_apart(Comm *comm, int64_t step) {
    int64_t sum = 0;
    comm_at(comm, step, STAGE_EVALUATE);
    return comm_rank(comm) % 2 ? comm_reduce(comm, &sum, 1, DT_I64, NULL, 4) : comm_barrier(comm);
}

/* Rank `odd` leaves a barrier out. The deadline is longer than it may take to be seen. */
static Status run_part(Comm *comm, int64_t odd) {
    char mine[100] = "", all[8][100];
    comm_set_deadline(comm, 60);
    comm_at(comm, 3, STAGE_EVALUATE);
    CHECK(comm_size(comm) <= 8);
    if (comm_rank(comm) != odd)
        TRY(comm_barrier(comm));
    return comm_allgather(comm, mine, sizeof mine, all);
}

/* The sum of rank `odd` has fewer elements. */
static Status run_shorter(Comm *comm, int64_t odd) {
    static int64_t values[100];
    comm_set_deadline(comm, 60);
    comm_at(comm, 3, STAGE_EVALUATE);
    TRY(comm_sum_i64(comm, values, comm_rank(comm) == odd ? 50 : 100));
    return comm_barrier(comm);
}

/* Three buckets a step over the reducer; in the second step rank `stuck` (-1: none) does not submit
 * bucket 1. */
static Status run_reducer(Comm *comm, int64_t stuck) {
    enum { N = 3, COUNT = 1000, STEPS = 20 };
    static int64_t data[N][COUNT];
    static float tail[N];
    BucketMessage messages[N][2];
    Reducer *reducer;
    int rank = comm_rank(comm), size = comm_size(comm);
    for (int b = 0; b < N; b++) {
        messages[b][0] = (BucketMessage){.data = data[b], .count = COUNT, .dtype = DT_I64};
        messages[b][1] = (BucketMessage){.data = &tail[b], .count = b % 2, .dtype = DT_F32};
    }
    TRY(reducer_start(comm, N, (const BucketMessage(*)[2])messages, NULL, &reducer));
    for (int step = 0; step < STEPS; step++) {
        double busy;
        comm_at(comm, step, STAGE_COMPUTE);
        reducer_begin(reducer, step);
        for (int i = 0; i < N; i++) {
            int b = (i + rank + step) % N; /* each rank in an order of its own */
            for (int64_t j = 0; j < COUNT; j++)
                data[b][j] = value_of(rank, j + b);
            tail[b] = (float)(b + rank);
            if (rank == stuck && step == 1 && b == 1)
                clock_sleep(60);
            reducer_submit(reducer, b);
        }
        TRY(reducer_wait(reducer, &busy));
        CHECK(busy > 0);
        for (int b = 0; b < N; b++) {
            for (int64_t j = 0; j < COUNT; j++) {
                int64_t expected = 0;
                for (int r = 0; r < size; r++)
                    expected += value_of(r, j + b);
                CHECK(data[b][j] == expected);
            }
            CHECK(tail[b] == (float)(b % 2 ? size * b + size * (size - 1) / 2 : b + rank));
        }
    }
    reducer_stop(reducer);
    return ST_OK;
}

/* Rank `from` and all after it fail in a step at once, each with a message of its own. */
static Status run_abort(Comm *comm, int64_t from) {
    comm_at(comm, 1204, STAGE_COMPUTE);
    TRY(comm_barrier(comm));
    if (comm_rank(comm) >= from) {
        Status status = FAIL(ST_DIVERGED, "loss of rank %d is NaN", comm_rank(comm));
        comm_abort(comm, status);
    }
    return comm_barrier(comm);
}

/* Rank `who` aborts after a failure that has been agreed on and printed. */
static Status run_abort_agreed(Comm *comm, int64_t who) {
    Status status = run_agree(comm, 0);
    TRY(comm_barrier(comm));
    if (comm_rank(comm) == who)
        comm_abort(comm, status);
    return comm_barrier(comm);
}

/* Rank `dead` is killed. */
static Status run_dead(Comm *comm, int64_t dead) {
    if (comm_rank(comm) == dead)
        raise(SIGKILL);
    return comm_barrier(comm);
}

static const struct {
    const char *name;
    ModeRun run;
} modes[] = {
    {"launched", run_launched},
    {"collectives", run_collectives},
    {"reduce", run_reduce},
    {"agree", run_agree},
    {"same", run_same},
    {"late", run_late},
    {"stuck", run_stuck},
    {"apart", run_apart},
    {"part", run_part},
    {"shorter", run_shorter},
    {"reducer", run_reducer},
    {"abort", run_abort},
    {"abort-agreed", run_abort_agreed},
    {"dead", run_dead},
};

int main(int argc, char **argv) {
    Comm *comm;
    /* As in the trainer, which takes SIGTERM for a request: ranks outlive an abort for a second. */
    signal(SIGTERM, SIG_IGN);
    Status status = comm_open_mpi(&argc, &argv, DEADLINE_S, &comm);
    if (status != ST_OK || argc < 2) {
        fprintf(stderr, "%s\n", status != ST_OK ? status_message() : "usage: MODE [ARGUMENT]");
        return ST_USAGE;
    }
    size_t m = 0;
    while (m < sizeof modes / sizeof *modes && strcmp(modes[m].name, argv[1]) != 0)
        m++;
    if (m == sizeof modes / sizeof *modes)
        status = FAIL(ST_USAGE, "no mode %s", argv[1]);
    else
        status = modes[m].run(comm, argc > 2 ? atoll(argv[2]) : 0);
    /* A failed check is this rank's alone; what was agreed on has been printed. */
    if (status != ST_OK && status_message()[0])
        comm_abort(comm, status);
    int rank = comm_rank(comm);
    comm_close(comm);
    if (status == ST_OK)
        printf("rank %d: ok\n", rank);
    return (int)status;
}
