/* all_reduce: the collective. Each rank publishes its buffer chunk by chunk in shared memory; every
 * rank adds up all of them in one order. That order changes with the schedule's seed, as it does
 * with NCCL's choice of algorithm: a float sum may differ between runs, never between ranks.
 *
 * A call whose count, type or operation differs between ranks is reported; so is one that waits
 * longer than $SIMGPU_PATIENCE seconds (30) for a rank that does not come. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "group.h"

typedef struct Reduction {
    struct ncclComm *comm;
    const void *from;
    void *to;
    uint64_t number; /* of the call, from 1 */
    size_t begin;    /* of the chunk, in elements */
    bool entered, published;
    double since; /* when it began to wait */
} Reduction;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const Call *call_of(const struct ncclComm *comm, int rank, uint64_t number) {
    return &comm->group->member[rank].call[number % CALLS_KEPT];
}

static void compare_calls(const Reduction *r) {
    const struct ncclComm *comm = r->comm;
    const Call *mine = call_of(comm, comm->rank, r->number);
    for (int peer = 0; peer < comm->size; peer++) {
        if (comm->group->member[peer].entered < r->number)
            continue;
        const Call *other = call_of(comm, peer, r->number);
        if (other->count != mine->count || other->type != mine->type || other->op != mine->op)
            sim_report("mismatched collective %lu: rank %d sums %lu elements of type %d (op %d), "
                       "rank %d %lu of type %d (op %d)",
                       (unsigned long)r->number, comm->rank, (unsigned long)mine->count, mine->type,
                       mine->op, peer, (unsigned long)other->count, other->type, other->op);
    }
}

/* Whether all ranks have come as far as `least`; a rank that stays away too long is reported. */
static bool all_at(Reduction *r, const _Atomic uint64_t *first, uint64_t least) {
    const struct ncclComm *comm = r->comm;
    const char *text = getenv("SIMGPU_PATIENCE");
    double patience = text ? atof(text) : 30;
    for (int peer = 0; peer < comm->size; peer++) {
        const _Atomic uint64_t *at =
            (const _Atomic uint64_t *)((const char *)first + (size_t)peer * sizeof(Member));
        if (*at >= least)
            continue;
        if (now() - r->since > patience)
            sim_report("collective %lu waits for rank %d, %s", (unsigned long)r->number, peer,
                       comm->state == ncclRemoteError ? "whose process is gone"
                                                      : "which has not called it");
        return false;
    }
    r->since = now();
    return true;
}

static int first_rank(const Reduction *r) {
    const char *schedule = getenv("SIMGPU_SCHEDULE");
    uint64_t seed =
        schedule && !strncmp(schedule, "random:", 7) ? strtoull(schedule + 7, NULL, 10) : 0;
    return (int)((seed + r->number) % (uint64_t)r->comm->size);
}

static void add_up(const Reduction *r, void *to, size_t count, ncclDataType_t type) {
    const struct ncclComm *comm = r->comm;
    int first = first_rank(r);
    memcpy(to, comm->group->chunk[first], count * reduce_size(type));
    for (int i = 1; i < comm->size; i++)
        reduce_add(to, comm->group->chunk[(first + i) % comm->size], count, type);
}

/* $SIMGPU_CORRUPT=RANK:CALL: what that rank gets from that call has one bit wrong, in the middle of
 * its last chunk, as after a fault of memory or of the network. */
static void corrupt(const Reduction *r, uint8_t *to, size_t count, size_t each) {
    const char *text = getenv("SIMGPU_CORRUPT");
    int rank;
    unsigned long call;
    if (text && sscanf(text, "%d:%lu", &rank, &call) == 2 && rank == r->comm->rank &&
        call == r->number)
        to[count / 2 * each + each / 2] ^= 0x10;
}

/* $SIMGPU_DIE, a list of RANK:CALL with blanks between: that rank's process is killed as it comes
 * to that call, of those of all communicators that it has had. */
static void die_if_due(void) {
    static unsigned long calls; /* the engine's thread alone counts */
    char list[256], *rest = NULL;
    const char *text = getenv("SIMGPU_DIE");
    snprintf(list, sizeof list, "%s", text ? text : "");
    calls++;
    for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const char *call = strchr(word, ':');
        if (call && atoi(word) == atoi(sim_rank()) && strtoul(call + 1, NULL, 10) == calls)
            raise(SIGKILL);
    }
}

static SimTurn run(SimOp *op, void *arg) {
    Reduction *r = arg;
    struct ncclComm *comm = r->comm;
    Member *me = &comm->group->member[comm->rank];
    const Member *all = comm->group->member;
    const Call *call = call_of(comm, comm->rank, r->number);
    ncclDataType_t type = (ncclDataType_t)call->type;
    size_t each = reduce_size(type), most = CHUNK_BYTES / each;
    if (comm->aborted) {
        comm->done = r->number;
        return SIM_DONE;
    }
    if (!r->entered) {
        die_if_due();
        me->entered = r->number;
        r->entered = true;
        r->since = now();
    }
    compare_calls(r);
    if (!all_at(r, &all->entered, r->number))
        return SIM_AGAIN;
    if (r->number == 1 && r->begin == 0 && !r->published)
        debug_ways(comm);
    compare_calls(r);
    while (r->begin < call->count) {
        size_t count = call->count - r->begin < most ? call->count - r->begin : most;
        size_t offset = r->begin * each;
        if (!r->published) {
            if (!all_at(r, &all->consumed, comm->chunks))
                return SIM_AGAIN;
            memcpy(comm->group->chunk[comm->rank],
                   sim_read(op, (const char *)r->from + offset, count * each, "sent buffer"),
                   count * each);
            me->published = comm->chunks + 1;
            r->published = true;
        }
        if (!all_at(r, &all->published, comm->chunks + 1))
            return SIM_AGAIN;
        void *to = sim_write(op, (char *)r->to + offset, count * each, "received buffer");
        add_up(r, to, count, type);
        if (r->begin + count == call->count)
            corrupt(r, to, count, each);
        me->consumed = ++comm->chunks;
        r->published = false;
        r->begin += count;
    }
    comm->done = r->number;
    return SIM_DONE;
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
    comm_must_live(comm, "ncclAllReduce");
    if (comm->state != ncclSuccess) {
        comm_says("the communicator is not ready, or has failed");
        return comm->state == ncclInProgress ? ncclInvalidUsage : comm->state;
    }
    if (!reduce_supports(type, operation))
        sim_report("ncclAllReduce of type %d with operation %d is not simulated", (int)type,
                   (int)operation);
    const char *sent = from, *received = to;
    size_t bytes = count * reduce_size(type);
    if (sent != received && sent < received + bytes && received < sent + bytes)
        sim_report("ncclAllReduce: the buffers overlap but are not the same");
    sim_lock();
    if (sim_capturing(stream))
        sim_report("ncclAllReduce in a capture is not simulated");
    Reduction r = {.comm = comm, .from = from, .to = to, .number = ++comm->calls};
    if (comm->calls - comm->done >= CALLS_KEPT)
        sim_report("more than %d collectives at once", CALLS_KEPT);
    comm->group->member[comm->rank].call[r.number % CALLS_KEPT] =
        (Call){count, (int)type, (int)operation};
    comm->op[r.number % CALLS_KEPT] = sim_enqueue(stream, reduce_name(type), run, &r, sizeof r);
    sim_unlock();
    return ncclSuccess;
}

ncclResult_t ncclGroupStart(void) {
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void) {
    return ncclSuccess;
}
