/* site: see site.h. */
#include "lockstep/site.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends NAME, SEPARATOR and VALUE; what does not fit is left out. */
static void append(char *out, size_t room, const char *before, const char *name,
                   const char *separator, const char *value) {
    size_t used = strlen(out);
    int n = snprintf(out + used, room - used, "%s%s%s%s", used > 0 ? before : "", name, separator,
                     value);
    if (n < 0 || (size_t)n >= room - used)
        out[used] = '\0';
}

void site_job(char *out, size_t room) {
    const char *job = getenv("SLURM_JOB_ID");
    const char *restart = getenv("SLURM_RESTART_COUNT");
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    const char *again = getenv("SUPERVISE_RESTART");
    out[0] = '\0';
    if (job)
        snprintf(out, room, "Slurm job %s, restart %s%s%s", job, restart ? restart : "0",
                 nodes ? ", nodes " : "", nodes ? nodes : "");
    if (getenv("SUPERVISE_JOB"))
        append(out, room, "; ", "supervised, restart", " ", again ? again : "0");
}

void site_network(char *out, size_t room) {
    static const char *const names[] = {"OMPI_MCA_pml",
                                        "OMPI_MCA_btl",
                                        "OMPI_MCA_btl_tcp_if_include",
                                        "OMPI_MCA_btl_tcp_if_exclude",
                                        "OMPI_MCA_oob_tcp_if_include",
                                        "UCX_NET_DEVICES",
                                        "UCX_TLS",
                                        "NCCL_SOCKET_IFNAME",
                                        "NCCL_IB_HCA",
                                        "NCCL_IB_DISABLE",
                                        "NCCL_P2P_DISABLE",
                                        "NCCL_SHM_DISABLE"};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            append(out, room, " ", names[i], "=", value);
    }
}

void site_interfaces(char *out, size_t room) {
    struct ifaddrs *all = NULL;
    out[0] = '\0';
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        char address[INET_ADDRSTRLEN];
        bool usable = at->ifa_addr && at->ifa_addr->sa_family == AF_INET &&
                      (at->ifa_flags & IFF_UP) && !(at->ifa_flags & IFF_LOOPBACK);
        if (!usable)
            continue;
        struct sockaddr_in in;
        memcpy(&in, at->ifa_addr, sizeof in);
        if (inet_ntop(AF_INET, &in.sin_addr, address, sizeof address))
            append(out, room, ", ", at->ifa_name, " ", address);
    }
    freeifaddrs(all);
}

int site_local_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
                                        "SLURM_LOCALID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return atoi(value);
    }
    return -1;
}
