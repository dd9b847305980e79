/* cores: see cores.h. */
#include "lockstep/cores.h"

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

static int count(const CoreSet *set) {
    int n = 0;
    for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++)
        n += __builtin_popcountl(set->bits[i]);
    return n;
}

static void add(CoreSet *set, const CoreSet *more) {
    for (size_t i = 0; i < sizeof set->bits / sizeof *set->bits; i++)
        set->bits[i] |= more->bits[i];
}

void cores_look(const char *host, CoreShare *share) {
    memset(share, 0, sizeof *share);
    snprintf(share->host, sizeof share->host, "%s", host);
    if (!ask(0, &share->own))
        memset(&share->own, 0xff, sizeof share->own); /* unknown: nothing to say */
    share->launcher = share->own;
    if (getenv("OMPI_COMM_WORLD_SIZE"))
        (void)ask(getppid(), &share->launcher);
}

int cores_of_host(const CoreShare *shares, int size, const char *host) {
    CoreSet all = {{0}};
    for (int r = 0; r < size; r++) {
        if (strcmp(shares[r].host, host) != 0)
            continue;
        add(&all, &shares[r].own);
        add(&all, &shares[r].launcher);
    }
    return count(&all);
}

/* The ranks of one host. */
typedef struct HostCores {
    const char *name;
    int first, ranks, threads;
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
        host.chosen = host.chosen && share->chosen;
        if (host.crowded < 0 && share->threads > count(&share->own))
            host.crowded = r;
        add(&used, &share->own);
    }
    host.used = count(&used);
    host.all = cores_of_host(shares, size, host.name);
    for (int r = first; r < size; r++) {
        if (strcmp(shares[r].host, host.name) == 0 && count(&shares[r].own) < host.all)
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
    int own = r < 0 ? 0 : count(&shares[r].own);
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

int cores_hint(const CoreShare *shares, int size, char *hint, size_t room) {
    for (int first = 0; first < size; first++) {
        bool leads = true;
        for (int r = 0; r < first && leads; r++)
            leads = strcmp(shares[r].host, shares[first].host) != 0;
        if (!leads)
            continue;
        HostCores host = host_cores(shares, size, first);
        if (hint_of_host(shares, &host, hint, room))
            return first;
    }
    return -1;
}
