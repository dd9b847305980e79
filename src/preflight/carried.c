/* carried: over which link of each host the sums went, by the kernel's counters: what MPI or NCCL
 * were told, and what they say, is another matter. A fast transport that dropped out without a word
 * shows here. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/log.h"
#include "preflight_internal.h"

/* Bytes that any host must have sent, if its counters keep up: at least each number went out once,
 * and half of that is left for hosts that send less than others. */
static int64_t least(const ReduceTime *times) {
    int64_t bytes = 0;
    for (int s = 0; s < REDUCE_SIZES; s++)
        bytes += times[s].bytes;
    return bytes * REDUCE_REPEATS / 2;
}

Status gather_carried(Session *session, const Links *before, const ReduceTime *times,
                      Carried **all) {
    Comm *comm = session->ranks.comm;
    Links now;
    Carried mine;
    memset(&mine, 0, sizeof mine); /* gathered as bytes */
    links_read("/sys", "/proc/net/dev", &now);
    const Link *carrier = links_carrier(before, &now, least(times));
    const Link *fastest = links_fastest(&now);
    snprintf(mine.host, sizeof mine.host, "%s", comm_host(comm));
    if (carrier)
        mine.carrier = *carrier;
    if (fastest)
        mine.fastest = *fastest;
    *all = calloc((size_t)session->ranks.size, sizeof **all);
    TRY(comm_agree(comm, *all ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    return comm_allgather(comm, &mine, sizeof mine, *all);
}

/* "ib0", "mlx5_0/1 (100 Gb/s)". */
static void link_text(const Link *link, char text[64]) {
    if (link->speed > 0)
        snprintf(text, 64, "%s (%g Gb/s)", link->name, (double)link->speed / 1000);
    else
        snprintf(text, 64, "%s", link->name);
}

static bool same_link(const Link *a, const Link *b) {
    return strcmp(a->name, b->name) == 0 && a->speed == b->speed;
}

/* A port that can do without TCP/IP is the faster one at the same speed, and where the interface
 * does not say its own (IPoIB's, a virtual one's). Of two interfaces such a one may stand on the
 * other: nobody knows that anything dropped out. */
static bool drops_out(const Carried *host) {
    const Link *carrier = &host->carrier, *fastest = &host->fastest;
    if (!carrier->name[0] || fastest->speed == 0 || same_link(carrier, fastest))
        return false;
    if (fastest->port && !carrier->port && fastest->speed >= carrier->speed)
        return true;
    return carrier->speed > 0 && fastest->speed >= 2 * carrier->speed;
}

/* Whether an earlier rank is of the same host, or of one whose sums went over the same link. */
static bool told(const Carried *all, int rank, bool host_alone) {
    for (int r = 0; r < rank; r++) {
        if (strcmp(all[r].host, all[rank].host) == 0 ||
            (!host_alone && same_link(&all[r].carrier, &all[rank].carrier) &&
             same_link(&all[r].fastest, &all[rank].fastest)))
            return true;
    }
    return false;
}

/* Hosts whose links are those of rank `first`'s. */
static int alike(const Carried *all, int size, int first) {
    int hosts = 0;
    for (int r = 0; r < size; r++) {
        hosts += !told(all, r, true) && same_link(&all[r].carrier, &all[first].carrier) &&
                 same_link(&all[r].fastest, &all[first].fastest);
    }
    return hosts;
}

static void print_group(const Carried *all, int size, int r, double best) {
    const Carried *host = &all[r];
    char carrier[64], fastest[64], others[48] = "";
    int more = alike(all, size, r) - 1;
    if (more > 0)
        snprintf(others, sizeof others, " and %d more host%s", more, more == 1 ? "" : "s");
    if (!host->carrier.name[0]) {
        printf("  by which link of %s%s the sums went, no counter of the kernel says\n", host->host,
               others);
        return;
    }
    link_text(&host->carrier, carrier);
    printf("  the sums went over %s of %s%s, at best %.2f Gb/s a rank", carrier, host->host, others,
           best);
    if (host->carrier.speed > 0)
        printf(", %.0f %% of the link", 100e3 * best / (double)host->carrier.speed);
    printf("\n");
    fflush(stdout);
    link_text(&host->fastest, fastest);
    if (drops_out(host))
        log_warn("the sums went over %s of %s%s, and not by %s, which is up: has the network "
                 "library lost it? UCX needs threads (MPI_THREAD_MULTIPLE): OMPI_MCA_pml=ucx "
                 "and UCX_LOG_LEVEL=info, or NCCL_DEBUG=INFO, tell",
                 carrier, host->host, others, fastest);
}

void print_carried(const Session *session, const Carried *all, const ReduceTime *times) {
    int size = session->ranks.size;
    double best = 0;
    bool one = true;
    for (int r = 1; r < size; r++)
        one = one && strcmp(all[r].host, all[0].host) == 0;
    if (one) /* whose memory all of it went through */
        return;
    for (int s = 0; s < REDUCE_SIZES; s++) {
        double rate = wire_rate(&times[s], size);
        best = rate > best ? rate : best;
    }
    for (int r = 0; r < size; r++) {
        if (!told(all, r, false))
            print_group(all, size, r, best);
    }
}
