/* nccl_log: see nccl_log.h. */
#include "nccl_log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 2048, ADAPTERS_MAX = 64 };

/* "[1]mlx5_1:1/IB" of "NET/IB : Using ...". */
typedef struct Adapter {
    char net[NCCL_NAME_MAX], name[NCCL_NAME_MAX];
    int index;
} Adapter;

typedef struct Reader {
    NcclLog *log;
    int rank, size, strange, adapters;
    Adapter adapter[ADAPTERS_MAX];
    int index[NCCL_ROUTES_MAX]; /* of the adapter of each route of log, -1: none */
} Reader;

static const char *past(const char *at, const char *word) {
    size_t n = strlen(word);
    return at && strncmp(at, word, n) == 0 ? at + n : NULL;
}

/* A number without a sign, below INT_MAX. */
static const char *number(const char *at, int *value) {
    char *end;
    if (!at || *at < '0' || *at > '9')
        return NULL;
    long n = strtol(at, &end, 10);
    if (n >= INT_MAX)
        return NULL;
    *value = (int)n;
    return end;
}

/* "3[3]", "3[1b000]", of NCCL 2.4 also "3". */
static const char *rank_of(const char *at, int *rank) {
    at = number(at, rank);
    if (at && *at == '[') {
        at += 1 + strspn(at + 1, "0123456789abcdef");
        return past(at, "]");
    }
    return at;
}

/* Copies n bytes that a name may have; false where it has others, or too many. */
static bool name_copy(char out[NCCL_NAME_MAX], const char *from, size_t n) {
    if (n == 0 || n >= NCCL_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (from[i] < ' ' || from[i] > '~')
            return false;
        out[i] = from[i];
    }
    out[n] = '\0';
    return true;
}

static bool one_of(const char *word, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

/* "NET/IB/3/GDRDMA", "NET/IBext_v8/0(4)/GDRDMA(PCI)/Shared", "NET/AWS Libfabric/0". */
static bool read_net(const char *via, const char *rest, NcclRoute *route, int *index) {
    const char *name = rest, *end = NULL;
    char suffix[] = "/GDRDMA";
    int proxy;
    for (const char *at = rest; (at = strchr(at, '/')); at++) { /* the name may have one */
        if (at[1] >= '0' && at[1] <= '9') {
            end = at;
            break;
        }
    }
    const char *at = end && end > name ? number(end + 1, index) : NULL;
    if (at && *at == '(') {
        at = number(at + 1, &proxy);
        at = past(at, ")");
    }
    if (!at)
        return false;
    bool direct = past(at, suffix) != NULL;
    if (direct) {
        at += strlen(suffix);
        at = past(at, "(PCI)") ? past(at, "(PCI)") : at;
    }
    at = past(at, "/Shared") ? past(at, "/Shared") : at;
    size_t n = (size_t)(end - via);
    if (*at != '\0' || !name_copy(route->by, via, n) ||
        n + (direct ? strlen(suffix) : 0) >= NCCL_NAME_MAX)
        return false;
    memcpy(route->by + n, direct ? suffix : "", direct ? sizeof suffix : 1);
    return true;
}

/* What stands behind "via ", without what tells one channel from another. */
static bool read_way(const char *via, NcclRoute *route, int *index) {
    static const char *const p2p[] = {"P2P/CUMEM", "P2P/IPC", "P2P/MNNVL", "P2P/direct pointer",
                                      "P2P/indirect"};
    static const char *const shm[] = {"SHM/direct",          "SHM/CE",    "SHM/direct/direct",
                                      "SHM/CE/direct",       "SHM/CE/CE", "SHM/direct/CE",
                                      "direct shared memory"};
    const char *rest;
    *index = -1;
    if ((rest = past(via, "NET/")) || (rest = past(via, "COLLNET/")))
        return read_net(via, rest, route, index);
    if ((rest = past(via, "P2P/")))
        return name_copy(route->by, via, strcspn(rest, "/") + 4) &&
               one_of(route->by, p2p, sizeof p2p / sizeof *p2p);
    return one_of(via, shm, sizeof shm / sizeof *shm) && name_copy(route->by, "SHM", 3);
}

static void keep(Reader *reader, const NcclRoute *route, int index) {
    NcclLog *log = reader->log;
    for (int i = 0; i < log->n; i++) {
        if (log->route[i].to == route->to && strcmp(log->route[i].by, route->by) == 0 &&
            reader->index[i] == index)
            return;
    }
    if (log->n == NCCL_ROUTES_MAX) {
        reader->strange++;
        return;
    }
    reader->index[log->n] = index;
    log->route[log->n++] = *route;
}

/* "A[x] -> B[y] [send] via WAY", "A [send] via COLLNET/..."; what B writes of it is left out. False
 * where it is neither. */
static bool read_route(Reader *reader, const char *at) {
    NcclRoute route = {.to = -1};
    int from, index;
    at = rank_of(at, &from);
    const char *arrow = past(at, " -> ");
    if (arrow)
        at = rank_of(arrow, &route.to);
    bool receives = past(at, " [receive]") != NULL;
    if (past(at, " [send]"))
        at = past(at, " [send]");
    else if (receives)
        at = past(at, " [receive]");
    const char *via = past(at, " via ");
    if (!via || !read_way(via, &route, &index))
        return false;
    if (receives && arrow)
        return route.to == reader->rank;
    if (from != reader->rank || route.to >= reader->size || route.to == from ||
        (arrow == NULL) != (past(via, "COLLNET/") != NULL))
        return false;
    if (!receives)
        keep(reader, &route, index);
    return true;
}

/* "[0]mlx5_0:1/IB [1]..." behind "NET/NAME : Using "; names that look otherwise are left out. */
static void read_adapters(Reader *reader, const char *net, size_t length, const char *at) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *stop = strchr(at, ';');
    while ((at = strchr(at, '[')) && !(stop && at > stop) && reader->adapters < ADAPTERS_MAX) {
        Adapter *adapter = &reader->adapter[reader->adapters];
        int port;
        const char *name = past(number(++at, &adapter->index), "]");
        size_t n = name ? strspn(name, letters) : 0;
        if (n == 0 || name[n] != ':' || !name_copy(adapter->net, net, length) ||
            !name_copy(adapter->name, name, n))
            continue;
        at = name + n + 1;
        if (strcmp(adapter->net, "IB") == 0) { /* as the kernel's counters are named */
            if (!number(at, &port) || n + 12 >= NCCL_NAME_MAX)
                continue;
            snprintf(adapter->name + n, NCCL_NAME_MAX - n, "/%d", port);
        }
        reader->adapters++;
    }
}

/* "Pattern 4" are rings; speed before NCCL 2.12. */
static void read_rings(NcclLog *log, const char *line) {
    char ring[4];
    int channels;
    double rate;
    if (sscanf(line, "Pattern 4, crossNic %*d, nChannels %d, %*5[a-z] %lf/%*f, type %3[A-Z0-9]/",
               &channels, &rate, ring) != 3 ||
        channels <= 0 || channels > 1024 || !(rate > 0 && rate < 1e6))
        return;
    memcpy(log->ring, ring, sizeof ring);
    log->channels = channels;
    log->rate = rate;
}

static void read_line(Reader *reader, const char *line) {
    static const char *const words[] = {"Channel ", "Ring ", "Coll ", "CollNet "};
    const char *at = strstr(line, " NCCL INFO ");
    if (!at)
        return;
    at += strlen(" NCCL INFO ");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *colon = past(at, words[i]) ? strstr(at, " : ") : NULL;
        if (colon && strstr(at, " via "))
            reader->strange += !read_route(reader, colon + 3);
    }
    const char *net = past(at, "NET/"), *list = net ? strstr(net, " : Using ") : NULL;
    if (list)
        read_adapters(reader, net, (size_t)(list - net), list);
    if (past(at, "NVLS comm "))
        reader->log->switch_sums = true;
    read_rings(reader->log, at);
}

/* The name of an adapter is that of the network that is by[4..]. */
static void name_devices(Reader *reader) {
    for (int i = 0; i < reader->log->n; i++) {
        NcclRoute *route = &reader->log->route[i];
        for (int a = 0; a < reader->adapters && past(route->by, "NET/"); a++) {
            const Adapter *adapter = &reader->adapter[a];
            const char *rest = past(route->by + 4, adapter->net);
            if (rest && (*rest == '\0' || *rest == '/') && adapter->index == reader->index[i])
                memcpy(route->device, adapter->name, sizeof route->device);
        }
    }
}

void nccl_log_read(const char *text, size_t bytes, int rank, int size, NcclLog *log) {
    Reader reader = {.log = log, .rank = rank, .size = size};
    char line[LINE_MAX_BYTES];
    memset(log, 0, sizeof *log); /* gathered as bytes */
    for (size_t begin = 0, end; begin < bytes; begin = end + 1) {
        const char *newline = memchr(text + begin, '\n', bytes - begin);
        end = newline ? (size_t)(newline - text) : bytes;
        size_t n = end - begin < sizeof line - 1 ? end - begin : sizeof line - 1;
        memcpy(line, text + begin, n);
        line[n] = '\0'; /* or before, by a zero in the text */
        read_line(&reader, line);
    }
    name_devices(&reader);
    log->said = reader.strange ? NCCL_STRANGE : log->n ? NCCL_ROUTES : NCCL_NOTHING;
}
