/* cores: see cores.h. */
#include "lockstep/cores.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(CoreSet) == sizeof(cpu_set_t), "a CoreSet is a cpu_set_t");

/* Of process `pid`, 0: of this one. False where the system does not say. */
static bool ask(pid_t pid, CoreSet *set) {
    cpu_set_t cores;
    if (sched_getaffinity(pid, sizeof cores, &cores) != 0)
        return false;
    memcpy(set, &cores, sizeof cores);
    return true;
}

int cores_count(const CoreSet *set) {
    int n = 0;
    for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++)
        n += __builtin_popcountl(set->bits[i]);
    return n;
}

void cores_add(CoreSet *set, const CoreSet *more) {
    for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++)
        set->bits[i] |= more->bits[i];
}

void cores_look(const char *host, CoreShare *share) {
    memset(share, 0, sizeof *share);
    snprintf(share->host, sizeof share->host, "%s", host);
    if (!ask(0, &share->own))
        memset(&share->own, 0xff, sizeof share->own); /* unknown: nothing to say */
    share->launcher = share->own;
    /* Of Open MPI and Hydra, whose processes are the ranks' parents and bound to nothing. */
    if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("MPI_LOCALRANKID"))
        (void)ask(getppid(), &share->launcher);
}

int cores_streams(int cores, int64_t lanes, int64_t images) {
    enum { STREAMS_MAX = 4, IMAGES_AT_ONCE = 512 };
    int64_t streams = IMAGES_AT_ONCE / images;
    streams = streams < STREAMS_MAX ? streams : STREAMS_MAX;
    streams = streams < lanes ? streams : lanes;
    streams = streams < cores ? streams : cores;
    return streams > 1 ? (int)streams : 1;
}

int cores_of_host(const CoreShare *shares, int size, const char *host) {
    CoreSet all = {{0}};
    for (int r = 0; r < size; r++) {
        if (strcmp(shares[r].host, host) != 0)
            continue;
        cores_add(&all, &shares[r].own);
        cores_add(&all, &shares[r].launcher);
    }
    return cores_count(&all);
}

/* The ranks of one host. */
typedef struct HostCores {
    const char *name;
    int first, ranks, threads;
    int wanted;    /* threads that there would be with more lanes */
    int used, all; /* cores of its ranks, and of their launcher as well */
    bool chosen;   /* the number of threads, on all of them */
    bool bound;    /* some rank has fewer cores than there are */
    int crowded;   /* the first rank of more threads than cores; -1: none */
} HostCores;

static HostCores host_cores(const CoreShare *shares, int size, int first) {
    HostCores host = {.name = shares[first].host, .first = first, .chosen = true, .crowded = -1};
    CoreSet used = {{0}};
    for (int r = first; r < size; r++) {
        const CoreShare *share = &shares[r];
        if (strcmp(share->host, host.name) != 0)
            continue;
        host.ranks++;
        host.threads += share->threads;
        host.wanted += share->wanted;
        host.chosen = host.chosen && share->chosen;
        if (host.crowded < 0 && share->threads > cores_count(&share->own))
            host.crowded = r;
        cores_add(&used, &share->own);
    }
    host.used = cores_count(&used);
    host.all = cores_of_host(shares, size, host.name);
    for (int r = first; r < size; r++) {
        if (strcmp(shares[r].host, host.name) == 0 && cores_count(&shares[r].own) < host.all)
            host.bound = true;
    }
    return host;
}

#define UNBIND "start mpirun with --bind-to none, or `. scripts/env.sh` before it"

static const char *plural(int n) {
    return n == 1 ? "" : "s";
}

static bool hint_of_host(const CoreShare *shares, const HostCores *host, char *hint, size_t room) {
    int r = host->crowded, threads = r < 0 ? 0 : shares[r].threads;
    int own = r < 0 ? 0 : cores_count(&shares[r].own);
    if (r >= 0 && own < host->all)
        snprintf(hint, room, "rank %d on %s is bound to %d of %d cores, for %d threads: " UNBIND, r,
                 host->name, own, host->all, threads);
    else if (r >= 0)
        snprintf(hint, room,
                 "rank %d on %s has %d threads for the %d core%s that it may use: give --threads "
                 "%d, or more cores",
                 r, host->name, threads, own, plural(own), own);
    else if (host->bound && host->used < host->all && host->threads > host->used)
        snprintf(hint, room,
                 "the %d ranks on %s are bound to %d of %d cores, for %d threads: " UNBIND,
                 host->ranks, host->name, host->used, host->all, host->threads);
    else if (host->bound && host->chosen && host->threads < host->all)
        snprintf(hint, room,
                 "the %d rank%s on %s %s bound, so that --threads auto makes %d thread%s of %d "
                 "cores: " UNBIND,
                 host->ranks, plural(host->ranks), host->name, host->ranks == 1 ? "is" : "are",
                 host->threads, plural(host->threads), host->all);
    else
        return false;
    return true;
}

/* Whether `rank` is the first of its host. */
static bool leads(const CoreShare *shares, int rank) {
    for (int r = 0; r < rank; r++) {
        if (strcmp(shares[r].host, shares[rank].host) == 0)
            return false;
    }
    return true;
}

int cores_hint(const CoreShare *shares, int size, char *hint, size_t room) {
    for (int first = 0; first < size; first++) {
        if (!leads(shares, first))
            continue;
        HostCores host = host_cores(shares, size, first);
        if (hint_of_host(shares, &host, hint, room))
            return first;
    }
    return -1;
}

static int lesser(int a, int b) {
    return a < b ? a : b;
}

bool cores_idle(const CoreShare *shares, int size, int64_t lanes, int64_t batch, char *line,
                size_t room) {
    int busy = 0, usable = 0, cores = 0;
    for (int first = 0; first < size; first++) {
        if (!leads(shares, first))
            continue;
        HostCores host = host_cores(shares, size, first);
        if (host.used == CHAR_BIT * (int)sizeof(CoreSet)) /* unknown: nothing to say */
            return false;
        busy += lesser(host.threads, host.used);
        usable += lesser(host.wanted, host.used);
        cores += host.used;
    }
    if (usable <= busy)
        return false;
    int64_t more = usable; /* lanes, a thread each */
    while (more > lanes && batch % more != 0)
        more--;
    int n = snprintf(
        line, room, "%d of %d cores stay%s idle: %" PRId64 " lane%s, and a lane is one thread's; ",
        cores - busy, cores, cores - busy == 1 ? "s" : "", lanes, plural(lanes == 1 ? 1 : 2));
    if (more > lanes)
        snprintf(line + n, room - (size_t)n,
                 "--lanes %" PRId64 " would use %" PRId64 " (of a new run: lanes decide its bits)",
                 more, more);
    else
        snprintf(line + n, room - (size_t)n,
                 "no more lanes divide a batch of %" PRId64
                 ": --lanes %d with --batch-size a multiple of it would use %d (a new run's)",
                 batch, usable, usable);
    return true;
}
