/* debug: what NCCL writes of the ways it takes, for NCCL_DEBUG=INFO, as NCCL 2.28 does: at the
 * first sum, into $NCCL_DEBUG_FILE or to standard output. Ranks are a ring of one channel. Inside a
 * host they take P2P, with NCCL_P2P_DISABLE=1 or no access the host's memory; between hosts
 * InfiniBand, with NCCL_IB_DISABLE=1 sockets. $SIMGPU_NCCL_LOG=RANK:odd has that rank name a way
 * that nobody knows, RANK:none write no word of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "group.h"

static bool is_set(const char *name, const char *value) {
    const char *text = getenv(name);
    return text && strcmp(text, value) == 0;
}

static bool is_told(const struct ncclComm *comm, const char *how) {
    char word[32];
    snprintf(word, sizeof word, "%d:%s", comm->rank, how);
    return is_set("SIMGPU_NCCL_LOG", word);
}

static const char *way_to(const struct ncclComm *comm, int peer) {
    const Member *me = &comm->group->member[comm->rank], *other = &comm->group->member[peer];
    if (is_told(comm, "odd"))
        return "WARP/7";
    if (strcmp(me->host, other->host) != 0)
        return is_set("NCCL_IB_DISABLE", "1") ? "NET/Socket/0" : "NET/IB/0/GDRDMA";
    return is_set("NCCL_P2P_DISABLE", "1") || getenv("SIMGPU_NO_PEERS") ? "SHM/direct/direct"
                                                                        : "P2P/CUMEM";
}

void debug_ways(const struct ncclComm *comm) {
    char host[64] = "", begin[128];
    const char *path = getenv("NCCL_DEBUG_FILE");
    int next = (comm->rank + 1) % comm->size;
    if (!is_set("NCCL_DEBUG", "INFO") || is_told(comm, "none"))
        return;
    FILE *out = path ? fopen(path, "w") : stdout;
    if (!out)
        return;
    gethostname(host, sizeof host - 1);
    snprintf(begin, sizeof begin, "%s:%d:%d [%d] NCCL INFO", host, (int)getpid(), (int)gettid(),
             comm->group->member[comm->rank].device);
    const char *way = way_to(comm, next);
    bool net = strncmp(way, "NET/", 4) == 0;
    if (is_set("NCCL_IB_DISABLE", "1"))
        fprintf(out, "%s NET/Socket : Using [0]eth0:10.0.0.5<0>\n", begin);
    else
        fprintf(out, "%s NET/IB : Using [0]mlx5_0:1/IB [RO]; OOB eth0:10.0.0.5<0>\n", begin);
    fprintf(out,
            "%s Pattern 4, crossNic 0, nChannels 1, bw 20.000000/20.000000, type NVL/PIX, "
            "sameChannels 1\n",
            begin);
    fprintf(out, "%s Channel 00/0 : %d[%d] -> %d[%d]%s via %s\n", begin, comm->rank, comm->rank,
            next, next, net ? " [send]" : "", way);
    if (path)
        fclose(out);
    else
        fflush(out);
}
