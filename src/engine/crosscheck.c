/* crosscheck: see crosscheck.h.
 *
 * All ranks make one and the same list of parts and readers, so hashes travel as two sums over
 * ranks in which each number has one rank that knows it. Until `done` is seen under the lock what
 * the thread writes (hashes, bytes, record) is the thread's alone. */
#include "crosscheck.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lockstep/clock.h"
#include "lockstep/thread.h"

struct Crosscheck {
    Dataset dataset; /* this rank's */
    InputLists lists;
    int rank, size;
    int *reader;      /* [size]: who reads the parts of that rank too */
    int64_t n;        /* parts */
    InputPart *parts; /* [n] */
    int64_t *owned;   /* [n] hash by the owner: on other ranks 0 until they are summed */
    int64_t *second;  /* [n] by its reader; likewise */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* done is set */
    bool started, done;
    atomic_bool stop;
    int64_t bytes;       /* read by the thread */
    StatusRecord record; /* of the thread's failure */
};

/* Whether `r` is a better reader for `owner` than `best` (-1: none yet). */
static bool is_better(const Place *places, const int64_t *load, int owner, int r, int best) {
    bool far = strcmp(places[r].host, places[owner].host) != 0;
    if (places[r].copy == places[owner].copy)
        return false;
    if (best < 0)
        return true;
    bool best_far = strcmp(places[best].host, places[owner].host) != 0;
    return far != best_far ? far : load[r] < load[best];
}

void crosscheck_readers(const Place *places, const int64_t *lanes, int size, int64_t *load,
                        int *reader) {
    for (int r = 0; r < size; r++)
        load[r] = 0;
    for (int owner = 0; owner < size; owner++) {
        reader[owner] = -1;
        for (int step = 1; step < size; step++) {
            int r = (owner + step) % size;
            if (is_better(places, load, owner, r, reader[owner]))
                reader[owner] = r;
        }
        if (reader[owner] >= 0)
            load[reader[owner]] += lanes[owner];
    }
}

/* ---- Reading ---- */

static Status read_parts(Crosscheck *check) {
    for (int64_t i = 0; i < check->n && !atomic_load(&check->stop); i++) {
        const InputPart *part = &check->parts[i];
        Shard shard;
        if (check->reader[part->owner] != check->rank || part->count == 0)
            continue;
        TRY(input_read_part(&check->dataset, &check->lists, part, &shard, &check->bytes));
        memcpy(&check->second[i], &shard.hash, sizeof shard.hash);
        shard_free(&shard);
    }
    return ST_OK;
}

static void *reader_main(void *argument) {
    Crosscheck *check = argument;
    pthread_setname_np(pthread_self(), "crosscheck");
    StatusRecord record = {0};
    if (read_parts(check) != ST_OK)
        status_take(&record);
    pthread_mutex_lock(&check->lock);
    check->record = record;
    check->done = true;
    pthread_cond_broadcast(&check->changed);
    pthread_mutex_unlock(&check->lock);
    return NULL;
}

static Status choose_readers(Crosscheck *check, const Input *input) {
    size_t size = (size_t)check->size;
    int64_t first, *lanes = calloc(size, sizeof *lanes), *load = calloc(size, sizeof *load);
    check->reader = calloc(size, sizeof *check->reader);
    bool room = lanes && load && check->reader;
    if (room) {
        for (int r = 0; r < check->size; r++) {
            input_lanes(input->sampler.lanes, check->size, r, &first, &lanes[r]);
            lanes[r]++; /* its share of the test set */
        }
        crosscheck_readers(input->places, lanes, check->size, load, check->reader);
    }
    free(load);
    free(lanes);
    return room ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
}

/* The list of parts, with the hashes that this rank knows already. */
static Status list_parts(Crosscheck *check, const Input *input, const RunConfig *config) {
    check->n = input_part_count(input, check->size);
    check->parts = calloc((size_t)check->n, sizeof *check->parts);
    check->owned = calloc((size_t)check->n, sizeof *check->owned);
    check->second = calloc((size_t)check->n, sizeof *check->second);
    TRY_ALLOC(check->parts);
    TRY_ALLOC(check->owned);
    TRY_ALLOC(check->second);
    input_parts(input, config, check->size, check->parts);
    for (int64_t i = 0; i < check->n; i++) {
        if (check->parts[i].owner == check->rank) {
            uint64_t hash = input_part_hash(input, &check->parts[i]);
            memcpy(&check->owned[i], &hash, sizeof hash);
        }
    }
    return ST_OK;
}

/* Local. */
static Status begin(Crosscheck *check, const Input *input, const RunConfig *config) {
    TRY_ALLOC(check);
    TRY(list_parts(check, input, config));
    TRY(choose_readers(check, input));
    TRY(input_lists(input, config, &check->lists));
    if (pthread_create(&check->thread, NULL, reader_main, check) != 0)
        return FAIL(ST_INTERNAL, "cannot start the thread that reads other ranks' images");
    check->started = true;
    return ST_OK;
}

/* NULL when out of memory. */
static Crosscheck *crosscheck_new(const Dataset *dataset, int rank, int size) {
    Crosscheck *check = calloc(1, sizeof *check);
    if (!check)
        return NULL;
    if (cond_init_monotonic(&check->changed) != ST_OK) {
        free(check);
        return NULL;
    }
    pthread_mutex_init(&check->lock, NULL);
    check->dataset = *dataset;
    check->rank = rank;
    check->size = size;
    return check;
}

Status crosscheck_start(const Input *input, const RunConfig *config, Comm *comm,
                        Crosscheck **check) {
    *check = NULL;
    if (input->copies < 2 || input->dataset.synthetic)
        return ST_OK;
    *check = crosscheck_new(&input->dataset, comm_rank(comm), comm_size(comm));
    return comm_agree(comm, begin(*check, input, config));
}

/* ---- Comparing ---- */

/* Processor time of the thread: as long as it grows, reads come back. With the lock held, while the
 * thread is not done. */
static double used(const Crosscheck *check) {
    clockid_t clock;
    struct timespec t;
    return pthread_getcpuclockid(check->thread, &clock) == 0 && clock_gettime(clock, &t) == 0
               ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec
               : 0;
}

/* When the thread was last seen to go on. */
typedef struct Pace {
    double used;
    Deadline deadline; /* until it must have gone on */
} Pace;

/* Waits for a quarter of the ranks' deadline at most. */
static Status wait_a_while(Crosscheck *check, double deadline_s, Pace *pace, bool *done) {
    Deadline turn = deadline_after(deadline_s / 4);
    pthread_mutex_lock(&check->lock);
    while (!check->done && !deadline_passed(&turn) && !deadline_passed(&pace->deadline)) {
        cond_wait_before(&check->changed, &check->lock, &turn);
        double now = check->done ? pace->used : used(check);
        if (now != pace->used)
            *pace = (Pace){now, deadline_after(deadline_s / 2)};
    }
    *done = check->done;
    pthread_mutex_unlock(&check->lock);
    if (*done || !deadline_passed(&pace->deadline))
        return ST_OK;
    return FAIL(ST_DEADLINE,
                "the images that other ranks train on: nothing was read from %s for %g s: the file "
                "system does not answer",
                check->dataset.path, pace->deadline.seconds);
}

/* A large set takes longer than any deadline. So ranks wait in turns, and hear after each that
 * those that still read are there. Collective; a deadline is not agreed on. */
static Status wait_for_all(Crosscheck *check, Comm *comm) {
    double deadline_s = comm_deadline(comm);
    Pace pace = {-1, deadline_after(deadline_s / 2)};
    int64_t reading = 1;
    while (reading > 0) {
        bool done;
        TRY(wait_a_while(check, deadline_s, &pace, &done));
        reading = !done;
        TRY(comm_sum_i64(comm, &reading, 1));
    }
    return ST_OK;
}

static bool differs(const Crosscheck *check, int64_t i) {
    return check->owned[i] != check->second[i];
}

/* Whether the parts are of one owner and of one set. */
static bool together(const InputPart *a, const InputPart *b) {
    return a->owner == b->owner && a->set == b->set;
}

/* "lanes 2, 5", "the test set": the parts that differ together with that at `first`. */
static void name_parts(const Crosscheck *check, int64_t first, char *text, size_t room) {
    static const char *const names[] = {"lane", "the held-out records", "the test set"};
    const InputPart *part = &check->parts[first];
    int64_t lanes = 0;
    for (int64_t i = first; i < check->n; i++)
        lanes += differs(check, i) && together(&check->parts[i], part);
    bool is_lane = part->set == INPUT_LANE;
    int used = snprintf(text, room, "%s%s", names[part->set], is_lane && lanes > 1 ? "s" : "");
    for (int64_t i = first; is_lane && i < check->n; i++) {
        if (differs(check, i) && together(&check->parts[i], part) && (size_t)used < room)
            used += snprintf(text + used, room - (size_t)used, "%s %" PRId64, i > first ? "," : "",
                             check->parts[i].lane);
    }
}

/* Parts that differ as well. */
static int64_t count_others(const Crosscheck *check, int64_t first) {
    int64_t others = 0;
    for (int64_t i = first; i < check->n; i++)
        others += differs(check, i) && !together(&check->parts[i], &check->parts[first]);
    return others;
}

/* The same on every rank. Local. */
static Status judge(const Crosscheck *check, const Place *places) {
    char what[160], more[64] = "";
    int64_t first = 0;
    while (first < check->n && !differs(check, first))
        first++;
    if (first == check->n)
        return ST_OK;
    int owner = check->parts[first].owner, reader = check->reader[owner];
    int64_t others = count_others(check, first);
    name_parts(check, first, what, sizeof what);
    if (others > 0)
        snprintf(more, sizeof more, ", and %" PRId64 " more part%s of the data", others,
                 others == 1 ? "" : "s");
    return FAIL(
        ST_DATA,
        "ranks read different images (%s%s): rank %d on %s has hash %016" PRIx64
        " from %s, rank %d on %s has %016" PRIx64 " from %s; %s, or name with --data what "
        "all ranks see",
        what, more, owner, places[owner].host, (uint64_t)check->owned[first], places[owner].folder,
        reader, places[reader].host, (uint64_t)check->second[first], places[reader].folder,
        dataset_may_be_cifar10(&check->dataset) ? "fetch them anew with scripts/get-cifar10.sh"
                                                : "copy the right ones to all hosts");
}

Status crosscheck_end(Crosscheck *check, Input *input, Comm *comm) {
    if (!check)
        return ST_OK;
    comm_at(comm, -1, STAGE_DATA);
    TRY(wait_for_all(check, comm));
    TRY(comm_agree(comm, check->record.status == ST_OK ? ST_OK : status_put(&check->record)));
    input->bytes += check->bytes;
    TRY(comm_sum_i64(comm, check->owned, check->n));
    TRY(comm_sum_i64(comm, check->second, check->n));
    TRY(comm_agree(comm, judge(check, input->places)));
    comm_at(comm, -1, STAGE_SETUP);
    return ST_OK;
}

void crosscheck_free(Crosscheck *check) {
    if (!check)
        return;
    atomic_store(&check->stop, true);
    if (check->started)
        pthread_join(check->thread, NULL);
    pthread_cond_destroy(&check->changed);
    pthread_mutex_destroy(&check->lock);
    input_lists_free(&check->lists);
    free(check->reader);
    free(check->parts);
    free(check->owned);
    free(check->second);
    free(check);
}
