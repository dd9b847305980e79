/* nccl_told: by which ways NCCL's ranks reach each other, as NCCL itself writes (nccl_log.h).
 *
 * NCCL reads its variables when it first writes, so they are set before any thread begins; what it
 * writes goes to memory of this process, and nothing is left of it, however the process ends. Who
 * has set NCCL_DEBUG wants the log himself, and has it. What one rank's log does not say as it is
 * known here, nobody claims of any. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/log.h"
#include "preflight_internal.h"

enum { LOG_BYTES_MAX = 64 << 20, WAYS_MAX = 16 };

/* Links of one kind, of all ranks. */
typedef struct Way {
    const char *by;
    bool between; /* hosts */
    int links;
    char devices[96]; /* "mlx5_0/1, mlx5_1/1" */
} Way;

int nccl_listen(void) {
    char path[64];
    const char *set = getenv("NCCL_DEBUG");
    if (set && *set)
        return -1;
    int file = memfd_create("nccl-log", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    /* Where it could not write there, all of it would go to standard output. */
    if (file < 0 || access(path, W_OK) != 0 || setenv("NCCL_DEBUG_FILE", path, 1) != 0 ||
        setenv("NCCL_DEBUG_SUBSYS", "INIT,GRAPH", 1) != 0 || setenv("NCCL_DEBUG", "INFO", 1) != 0) {
        if (file >= 0)
            close(file);
        return -1;
    }
    return file;
}

/* An empty log where it cannot be read. */
static void read_log(int file, const Ranks *ranks, NcclLog *log) {
    struct stat info;
    char *text = NULL;
    ssize_t bytes = 0;
    if (fstat(file, &info) == 0 && info.st_size > 0 && info.st_size <= LOG_BYTES_MAX)
        text = malloc((size_t)info.st_size);
    if (text)
        bytes = pread(file, text, (size_t)info.st_size, 0);
    nccl_log_read(text, bytes > 0 ? (size_t)bytes : 0, ranks->rank, ranks->size, log);
    free(text);
}

static void find_port(char port[48]) {
    Links links;
    int64_t best = 0;
    links_read("/sys", "/proc/net/dev", &links);
    for (int i = 0; i < links.n; i++) {
        const Link *link = &links.link[i];
        if (!link->port || link->speed <= best)
            continue;
        best = link->speed;
        snprintf(port, 48, "%.24s (%g Gb/s)", link->name, (double)best / 1000);
    }
}

static bool same_host(const NcclTold *a, const NcclTold *b) {
    return strcmp(a->host, b->host) == 0;
}

static bool between(const NcclTold *all, int rank, const NcclRoute *route) {
    return route->to < 0 || !same_host(&all[rank], &all[route->to]);
}

static bool is_first(const NcclLog *log, int i, bool by_as_well) {
    for (int k = 0; k < i; k++) {
        if (log->route[k].to == log->route[i].to &&
            (!by_as_well || strcmp(log->route[k].by, log->route[i].by) == 0))
            return false;
    }
    return true;
}

/* Ranks of this host that are not sent to directly, though their GPUs could be. */
static int count_within_reach(const NcclTold *all, int rank) {
    const NcclLog *log = &all[rank].log;
    int n = 0;
    for (int i = 0; log->said == NCCL_ROUTES && i < log->n; i++) {
        const NcclRoute *route = &log->route[i];
        n += strncmp(route->by, "P2P/", 4) != 0 && !between(all, rank, route) &&
             is_first(log, i, false) && device_cuda_reaches(all[route->to].address);
    }
    return n;
}

Status gather_nccl(Session *session, int file, NcclTold **all) {
    Comm *comm = session->ranks.comm;
    NcclTold *mine = calloc(1, sizeof *mine);
    const char *set = getenv("NCCL_DEBUG");
    Status status = ST_OK;
    *all = calloc((size_t)session->ranks.size, sizeof **all);
    TRY_DONE(comm_agree(comm, *all && mine ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    snprintf(mine->host, sizeof mine->host, "%s", comm_host(comm));
    snprintf(mine->address, sizeof mine->address, "%s", session->device->address);
    find_port(mine->port);
    mine->ours = file >= 0;
    mine->users = file < 0 && set && *set;
    if (mine->ours)
        read_log(file, &session->ranks, &mine->log);
    TRY_DONE(comm_allgather(comm, mine, sizeof *mine, *all));
    mine->within_reach = count_within_reach(*all, session->ranks.rank);
    TRY_DONE(comm_allgather(comm, mine, sizeof *mine, *all));
done:
    free(mine);
    return status;
}

/* ---- what is said of it ---- */

static void add_device(Way *way, const char *device) {
    char *at = way->devices;
    for (size_t n = strlen(device); (at = strstr(at, device)); at += n) {
        if ((at == way->devices || at[-1] == ' ') && (at[n] == ',' || at[n] == '\0'))
            return;
    }
    size_t used = strlen(way->devices);
    int n =
        snprintf(way->devices + used, sizeof way->devices - used, "%s%s", used ? ", " : "", device);
    if (n < 0 || (size_t)n >= sizeof way->devices - used)
        way->devices[used] = '\0'; /* there are many */
}

static Way *find_way(Way *ways, int *n, const char *by, bool outside) {
    for (int i = 0; i < *n; i++) {
        if (ways[i].between == outside && strcmp(ways[i].by, by) == 0)
            return &ways[i];
    }
    if (*n == WAYS_MAX)
        return NULL;
    ways[*n] = (Way){.by = by, .between = outside};
    return &ways[(*n)++];
}

/* How many kinds there are; 0: some rank's log does not say it. */
static int collect(const NcclTold *all, int size, Way *ways) {
    int n = 0;
    for (int r = 0; r < size; r++) {
        const NcclLog *log = &all[r].log;
        if (!all[r].ours || log->said != NCCL_ROUTES)
            return 0;
        for (int i = 0; i < log->n; i++) {
            const NcclRoute *route = &log->route[i];
            Way *way = find_way(ways, &n, route->by, between(all, r, route));
            if (!way)
                return 0;
            way->links += is_first(log, i, true);
            if (route->device[0])
                add_device(way, route->device);
        }
    }
    return n;
}

static void print_ways(const char *library, const Way *ways, int n, bool switch_sums) {
    const char *separator = "";
    printf("  %s says: ", library);
    for (int outside = 0; outside < 2; outside++) {
        for (int i = 0; i < n; i++) {
            const Way *way = &ways[i];
            bool far = strncmp(way->by, "NET/", 4) == 0 && strcmp(way->by, "NET/Socket") != 0;
            if (way->between != (outside == 1))
                continue;
            printf("%s%d link%s by %s%s%s%s%s %s hosts", separator, way->links,
                   way->links == 1 ? "" : "s", way->by,
                   far && !strstr(way->by, "/GDRDMA") ? " without GPUDirect" : "",
                   way->devices[0] ? " (" : "", way->devices, way->devices[0] ? ")" : "",
                   way->between ? "between" : "inside");
            separator = ", ";
        }
    }
    printf("%s\n", switch_sums ? "; NVLink's switch sums too (NVLS)" : "");
}

static const char *ring_name(const char *ring) {
    if (strcmp(ring, "NVL") == 0 || strcmp(ring, "NVB") == 0)
        return "NVLink";
    if (strcmp(ring, "C2C") == 0)
        return "C2C";
    if (strcmp(ring, "SYS") == 0)
        return "at worst the link between CPUs";
    return strcmp(ring, "PIX") == 0 || strcmp(ring, "PXB") == 0 || strcmp(ring, "PHB") == 0 ||
                   strcmp(ring, "P2C") == 0
               ? "at worst PCIe"
               : NULL;
}

/* On one host the rings are all there is: what they carried, of what NCCL reckons. */
static void print_rings(const NcclTold *all, const ReduceTime *times, int size) {
    const NcclLog *log = &all[0].log;
    const char *name = ring_name(log->ring);
    double best = 0, most = 8 * log->channels * log->rate;
    for (int r = 1; r < size; r++) {
        if (!same_host(&all[r], &all[0]) || strcmp(all[r].log.ring, log->ring) != 0 ||
            all[r].log.channels != log->channels)
            return;
    }
    if (!name || log->channels == 0)
        return;
    for (int s = 0; s < REDUCE_SIZES; s++) {
        double rate = wire_rate(&times[s], size);
        best = rate > best ? rate : best;
    }
    printf("  its rings take %s, by its own reckoning %.0f Gb/s: at best %.2f Gb/s a rank went, "
           "%.0f %%\n",
           name, most, best, 100 * best / most);
}

static void warn_host(const NcclTold *all, int size, int first) {
    const NcclTold *host = &all[first];
    int indirect = -1, socket = -1;
    for (int r = first; r < size; r++) {
        if (!same_host(&all[r], host))
            continue;
        if (indirect < 0 && all[r].within_reach > 0)
            indirect = r;
        for (int i = 0; i < all[r].log.n; i++) {
            if (strcmp(all[r].log.route[i].by, "NET/Socket") == 0)
                socket = r;
        }
    }
    if (indirect >= 0)
        log_warn("NCCL takes rank %d's sums to %d rank%s of %s through the host's memory, though "
                 "CUDA says that the GPUs reach each other: NCCL_P2P_DISABLE or NCCL_P2P_LEVEL is "
                 "set, a container keeps them apart, or they are behind different CPUs, where NCCL "
                 "means it (nvidia-smi topo -m)",
                 indirect, all[indirect].within_reach, all[indirect].within_reach == 1 ? "" : "s",
                 host->host);
    if (socket >= 0 && host->port[0])
        log_warn("NCCL takes rank %d's sums over TCP/IP (NET/Socket), though %s of %s is up: is "
                 "libibverbs there, in a container too, and what do NCCL_IB_DISABLE, NCCL_IB_HCA "
                 "and NCCL_NET say? NCCL_DEBUG=INFO tells why",
                 socket, host->port, host->host);
}

void print_nccl(const NcclTold *all, int size, const char *library, const ReduceTime *times) {
    Way ways[WAYS_MAX];
    int n = collect(all, size, ways), users = 0;
    bool switch_sums = false;
    for (int r = 0; r < size; r++) {
        users += all[r].users;
        switch_sums = switch_sums || all[r].log.switch_sums;
    }
    if (n == 0) {
        printf("  by which ways %s's ranks reach each other %s\n", library,
               users ? "its own log says, since NCCL_DEBUG is set; unset it to have it here"
                     : "could not be told from what it wrote: NCCL_DEBUG=INFO shows it");
        return;
    }
    print_ways(library, ways, n, switch_sums);
    if (!switch_sums)
        print_rings(all, times, size);
    fflush(stdout);
    for (int r = 0; r < size; r++) {
        bool first = true;
        for (int k = 0; k < r; k++)
            first = first && !same_host(&all[k], &all[r]);
        if (first)
            warn_host(all, size, r);
    }
}
