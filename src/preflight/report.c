/* report: the table of hosts, and what is wrong with it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lockstep/log.h"
#include "preflight_internal.h"

static const double GB = 1e9;

/* ---- the table ---- */

/* "0-3", "0,2": ranks of the host of rank `first`. */
static void list_ranks(const Probe *probes, int size, int first, char *out, size_t room) {
    size_t used = 0;
    out[0] = '\0';
    for (int r = first; r < size;) {
        int last = r;
        while (last + 1 < size && strcmp(probes[last + 1].host, probes[first].host) == 0 &&
               strcmp(probes[r].host, probes[first].host) == 0)
            last++;
        if (strcmp(probes[r].host, probes[first].host) == 0 && used < room) {
            int n = snprintf(out + used, room - used, last > r ? "%s%d-%d" : "%s%d",
                             used ? "," : "", r, last);
            used += n > 0 ? (size_t)n : 0;
        }
        r = last + 1;
    }
}

static void size_text(int64_t bytes, char out[16]) {
    if (bytes < 0)
        snprintf(out, 16, "?");
    else
        snprintf(out, 16, "%.1f GB", (double)bytes / GB);
}

/* The least of the host's ranks: "-" where none has less than the host. */
static void limit_text(const Probe *probes, int size, int first, char out[16]) {
    int64_t least = probes[first].memory;
    for (int r = first; r < size; r++) {
        if (strcmp(probes[r].host, probes[first].host) == 0 && probes[r].memory_limit >= 0 &&
            probes[r].memory_limit < least)
            least = probes[r].memory_limit;
    }
    if (least < probes[first].memory)
        size_text(least, out);
    else
        snprintf(out, 16, "-");
}

static void data_text(const Session *session, const Probe *probe, char out[64]) {
    if (probe->data_status != ST_OK)
        snprintf(out, 64, "missing");
    else if (session->input.dataset.synthetic)
        snprintf(out, 64, "synthetic");
    else
        snprintf(out, 64, "%" PRId64 "+%" PRId64 " %016" PRIx64, probe->records[0],
                 probe->records[1], probe->data_hash);
}

/* Ranks that follow each other, on one host with the same kind of GPU, are one line. */
static void print_gpus(const Session *session, const Probe *probes) {
    for (int r = 0, last; r < session->ranks.size; r = last + 1) {
        const Probe *p = &probes[r];
        last = r;
        while (last + 1 < session->ranks.size && strcmp(p->host, probes[last + 1].host) == 0 &&
               strcmp(p->device, probes[last + 1].device) == 0)
            last++;
        if (!p->gpu)
            continue;
        if (last > r)
            printf("GPUs of ranks %d-%d on %s: %s\n", r, last, p->host, p->device);
        else
            printf("GPU of rank %d on %s: %s\n", r, p->host, p->device);
    }
    if (probes[0].gpu)
        printf("rank 0: %s; driver for CUDA up to %s\n", probes[0].cuda, probes[0].driver);
}

double wire_rate(const ReduceTime *time, int ranks) {
    double n = ranks, bytes = (double)time->bytes * 2 * (n - 1) / n;
    return 8e-9 * bytes / time->seconds;
}

void print_reduce(const Session *session, const char *library, const ReduceTime *times) {
    static const char *const what[REDUCE_SIZES] = {"latency", "64 KiB", "one bucket",
                                                   "whole gradient"};
    if (session->ranks.size == 1) {
        printf("all-reduce: one rank, nothing to sum\n");
        return;
    }
    printf("all-reduce over %d ranks, every sum checked (%s)\n", session->ranks.size, library);
    for (int s = 0; s < REDUCE_SIZES; s++) {
        printf("  %-14s %11" PRId64 " bytes %10.3f ms %8.2f Gb/s a rank on the wire\n", what[s],
               times[s].bytes, 1e3 * times[s].seconds, wire_rate(&times[s], session->ranks.size));
    }
    fflush(stdout);
}

void print_probes(const Session *session, const Probe *probes, const CoreShare *shares) {
    char ranks[64], memory[16], limit[16], tmp[16], shm[16], data[64];
    printf("%-16s %-9s %5s %7s %9s %9s %9s %9s  %-28s %s\n", "host", "ranks", "cores", "threads",
           "memory", "limit", "tmp free", "shm free", "data (records, hash)", "device");
    for (int r = 0; r < session->ranks.size; r++) {
        const Probe *p = &probes[r];
        if (!leads(probes, r))
            continue;
        list_ranks(probes, session->ranks.size, r, ranks, sizeof ranks);
        size_text(p->memory, memory);
        limit_text(probes, session->ranks.size, r, limit);
        size_text(p->tmp_free, tmp);
        size_text(p->shm_free, shm);
        data_text(session, p, data);
        printf("%-16s %-9s %5d %7d %9s %9s %9s %9s  %-28s %s\n", p->host, ranks,
               cores_of_host(shares, session->ranks.size, p->host), p->share.threads, memory, limit,
               tmp, shm, data, p->device_status == ST_OK ? p->device : "none");
    }
    printf("rank 0: %s; %s; temporary files in %s\n", probes[0].libraries, probes[0].system,
           probes[0].tmp);
    print_gpus(session, probes);
    printf("interfaces of rank 0's host: %s\n",
           probes[0].interfaces[0] ? probes[0].interfaces : "none but loopback");
    if (probes[0].hints[0])
        printf("network: %s\n", probes[0].hints);
    fflush(stdout);
}

/* ---- what is wrong ---- */

typedef struct Verdict {
    int problems;
    Status status; /* of the first */
    char first[STATUS_MESSAGE_MAX];
} Verdict;

static void problem(Verdict *verdict, Status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(Verdict *verdict, Status status, const char *format, ...) {
    char text[STATUS_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (verdict->problems++ > 0) {
        log_warn("%s", text);
        return;
    }
    verdict->status = status;
    memcpy(verdict->first, text, sizeof text);
}

/* What must be the same everywhere, or must be there at all. */
static void judge_rank(const Probe *probes, int r, Verdict *verdict) {
    const Probe *p = &probes[r], *root = &probes[0];
    if (p->device_status != ST_OK)
        problem(verdict, p->device_status, "rank %d on %s: %s", r, p->host, p->device);
    else if (root->device_status == ST_OK && strcmp(p->instruction_set, root->instruction_set) != 0)
        problem(verdict, ST_COMM,
                "rank %d on %s computes with %s, rank 0 on %s with %s: use hosts of one kind%s", r,
                p->host, p->instruction_set, root->host, root->instruction_set,
                p->gpu || root->gpu ? ", with the same GPUs"
                                    : ", or bring all to the lesser with ONEDNN_MAX_CPU_ISA");
    if (strcmp(p->libraries, root->libraries) != 0)
        problem(verdict, ST_COMM,
                "rank %d on %s has %s, rank 0 on %s has %s: load the same modules everywhere", r,
                p->host, p->libraries, root->host, root->libraries);
    if (p->gpu && root->gpu && strcmp(p->cuda, root->cuda) != 0)
        problem(verdict, ST_COMM,
                "rank %d on %s has %s, rank 0 on %s has %s: load the same modules everywhere", r,
                p->host, p->cuda, root->host, root->cuda);
    if (p->data_status != ST_OK)
        problem(verdict, p->data_status, "rank %d on %s: %s", r, p->host, p->data);
    else if (root->data_status == ST_OK && root->data_hash != p->data_hash)
        problem(verdict, ST_DATA,
                "the data set on %s (hash %016" PRIx64 ") is not that on %s (hash %016" PRIx64
                "): copy one of them, or fetch CIFAR-10 anew with scripts/get-cifar10.sh",
                p->host, p->data_hash, root->host, root->data_hash);
}

/* Slow or confusing, but no reason to stop. */
static void note_rank(const Probe *probes, int r) {
    const Probe *p = &probes[r], *root = &probes[0];
    if (p->gpu && root->gpu && strcmp(p->driver, root->driver) != 0)
        log_warn("rank %d on %s has a driver for CUDA up to %s, rank 0 on %s one for %s", r,
                 p->host, p->driver, root->host, root->driver);
    if (p->launcher_local_rank >= 0 && p->launcher_local_rank != p->local_rank)
        log_warn("rank %d on %s is number %d on its host by MPI, %d by its launcher; MPI's counts",
                 r, p->host, p->local_rank, p->launcher_local_rank);
    if (strcmp(p->hints, root->hints) != 0)
        log_warn("network variables differ: rank %d on %s has %s, rank 0 on %s has %s", r, p->host,
                 p->hints[0] ? p->hints : "none", root->host,
                 root->hints[0] ? root->hints : "none");
}

/* `hinted`: the first rank of the host whose cores cores_hint has spoken of; -1. */
static void note_cores(const Session *session, const Probe *probes, const CoreShare *shares, int r,
                       int hinted) {
    const Probe *p = &probes[r], *root = &probes[0];
    int size = session->ranks.size, threads = 0;
    int cores = cores_of_host(shares, size, p->host);
    int of_root = cores_of_host(shares, size, root->host);
    for (int i = 0; i < size; i++)
        threads += strcmp(shares[i].host, p->host) == 0 ? shares[i].threads : 0;
    if (r != hinted && threads > cores)
        log_warn("%s runs %d threads of %d rank%s on %d core%s: they get in each other's way",
                 p->host, threads, p->ranks_here, p->ranks_here == 1 ? "" : "s", cores,
                 cores == 1 ? "" : "s");
    if (cores * root->ranks_here != of_root * p->ranks_here)
        log_warn("%s has %d cores for %d rank%s, %s %d for %d: every step waits for the slowest",
                 p->host, cores, p->ranks_here, p->ranks_here == 1 ? "" : "s", root->host, of_root,
                 root->ranks_here);
}

static void note_host(const Probe *probes, int r) {
    const Probe *p = &probes[r], *root = &probes[0];
    int64_t apart = p->seconds - root->seconds;
    if (apart > 5 || apart < -5)
        log_warn("the clock of %s is %" PRId64 " s off that of %s: times in logs will mislead",
                 p->host, apart, root->host);
    if (strchr(p->interfaces, ',') && !strstr(p->hints, "if_") && !strstr(p->hints, "UCX_NET"))
        log_warn("%s has several interfaces (%s): should ranks not reach each other, name one, as "
                 "in OMPI_MCA_btl_tcp_if_include=NAME NCCL_SOCKET_IFNAME=NAME",
                 p->host, p->interfaces);
}

/* A folder of checkpoints on rank 0's host, named by `option`. It is made by train: here its
 * nearest ancestor that exists must do. */
static void judge_directory(const Session *session, const char *option, const char *folder,
                            Verdict *verdict) {
    char path[CONFIG_PATH_MAX];
    struct statvfs info;
    struct stat node;
    snprintf(path, sizeof path, "%s", folder);
    while (stat(path, &node) != 0 && errno == ENOENT) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            snprintf(path, sizeof path, slash ? "/" : ".");
            break;
        }
        *slash = '\0';
    }
    if (access(path, W_OK | X_OK) != 0 || statvfs(path, &info) != 0) {
        problem(verdict, ST_CHECKPOINT, "--%s %s: %s cannot be written on %s: %s", option, folder,
                path, comm_host(session->ranks.comm), strerror(errno));
        return;
    }
    Quota quota = limits_quota("", path);
    double room = (double)info.f_bavail * (double)info.f_frsize;
    const char *by = "";
    char more[128] = "";
    if (quota.room >= 0 && (double)quota.room < room) {
        room = (double)quota.room;
        by = " by quota";
    } else if (quota.command)
        snprintf(more, sizeof more, " (a quota does not show here: ask `%s`)", quota.command);
    int64_t kept = session->config->keep + session->config->keep_best;
    double need = (double)session_state_bytes(session) * (double)(kept + 1);
    printf("--%s %s: %.1f GB free%s%s, checkpoints take up to %.3f GB\n", option, folder, room / GB,
           by, more, need / GB);
    fflush(stdout);
    if (room < need)
        problem(verdict, ST_CHECKPOINT,
                "--%s %s: %.3f GB free%s, but %" PRId64
                " checkpoints and the one being written take %.3f GB; choose another folder or a "
                "smaller --keep",
                option, folder, room / GB, by, kept, need / GB);
}

Status judge_probes(const Session *session, const Probe *probes, const CoreShare *shares) {
    Verdict verdict = {.problems = 0};
    char hint[512], out[CONFIG_PATH_MAX];
    int hinted = cores_hint(shares, session->ranks.size, hint, sizeof hint);
    if (hinted >= 0)
        log_warn("%s", hint);
    if (cores_idle(shares, session->ranks.size, session->config->lanes, session->config->batch_size,
                   hint, sizeof hint))
        log_warn("%s", hint);
    if (config_out_at(session->config->out, (int64_t)time(NULL), out) == ST_OK)
        judge_directory(session, "out", out, &verdict);
    else
        problem(&verdict, ST_USAGE, "%s", status_message());
    if (session->config->checkpoint_local[0])
        judge_directory(session, "checkpoint-local", session->config->checkpoint_local, &verdict);
    for (int r = 0; r < session->ranks.size; r++) {
        judge_rank(probes, r, &verdict);
        note_rank(probes, r);
        if (leads(probes, r)) {
            note_cores(session, probes, shares, r, hinted);
            note_host(probes, r);
        }
    }
    note_threads(probes, session->ranks.size);
    note_gpus(probes, session->ranks.size);
    note_gpu_sharing(probes, session->ranks.size);
    if (verdict.problems == 0)
        return ST_OK;
    if (verdict.problems == 1)
        return FAIL(verdict.status, "%s", verdict.first);
    return FAIL(verdict.status, "%s (and %d more, above)", verdict.first, verdict.problems - 1);
}
