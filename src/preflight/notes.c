/* notes: what costs a run speed, or may end it, though it can begin. */
#include <string.h>

#include "lockstep/log.h"
#include "preflight_internal.h"

bool leads(const Probe *probes, int rank) {
    for (int r = 0; r < rank; r++) {
        if (strcmp(probes[r].host, probes[rank].host) == 0)
            return false;
    }
    return true;
}

static bool same_host(const Probe *a, const Probe *b) {
    return strcmp(a->host, b->host) == 0;
}

/* Whether a rank before `rank` has its GPU. */
static bool has_shared_gpu(const Probe *probes, int rank) {
    for (int r = 0; r < rank; r++) {
        if (probes[r].gpu && same_host(&probes[r], &probes[rank]) &&
            strcmp(probes[r].gpu_address, probes[rank].gpu_address) == 0)
            return true;
    }
    return false;
}

void note_gpus(const Probe *probes, int size) {
    for (int first = 0; first < size; first++) {
        int gpus = 0, blind = -1; /* a rank that sees fewer than its host's ranks have */
        if (!leads(probes, first))
            continue;
        for (int r = first; r < size; r++)
            gpus += same_host(&probes[r], &probes[first]) && probes[r].gpu &&
                    !has_shared_gpu(probes, r);
        for (int r = size - 1; r >= first; r--) {
            if (same_host(&probes[r], &probes[first]) && probes[r].gpu &&
                probes[r].gpus_seen < gpus)
                blind = r;
        }
        if (blind >= 0)
            log_warn("rank %d on %s sees %d of the %d GPUs that ranks there have, so these may not "
                     "reach each other by NVLink: sbatch --gpus-per-node in place of "
                     "--gpus-per-task, srun without --gpu-bind, no CUDA_VISIBLE_DEVICES",
                     blind, probes[blind].host, probes[blind].gpus_seen, gpus);
    }
}

void note_gpu_sharing(const Probe *probes, int size) {
    for (int r = 0; r < size; r++) {
        const Probe *p = &probes[r];
        if (p->gpu && p->sharing.mig)
            log_warn(
                "rank %d on %s has a part of a GPU (MIG): parts reach each other by way of the "
                "host's memory alone",
                r, p->host);
        if (p->gpu && p->sharing.others > 0)
            log_warn("rank %d on %s shares its GPU with %d other process%s that compute%s there: "
                     "each step waits for %s, and memory may not suffice; ask for GPUs of the "
                     "run's own",
                     r, p->host, p->sharing.others, p->sharing.others == 1 ? "" : "es",
                     p->sharing.others == 1 ? "s" : "", p->sharing.others == 1 ? "it" : "them");
    }
}

void note_threads(const Probe *probes, int size) {
    for (int first = 0; first < size; first++) {
        CoreSet all = {{0}}, cores = {{0}};
        int threads = 0, ranks = 0;
        if (!leads(probes, first))
            continue;
        for (int r = first; r < size; r++) {
            if (!same_host(&probes[r], &probes[first]) || probes[r].gpu)
                continue;
            ranks++;
            threads += probes[r].share.threads;
            cores_add(&all, &probes[r].share.own);
            cores_add(&cores, &probes[r].cores);
        }
        const char *hint = probes[first].hint;
        int whole = cores_count(&cores), room = cores_count(&all);
        if (threads <= whole || threads > room || strcmp(hint, "multithread") == 0)
            continue;
        log_warn("%s computes with %d threads on %d cores of %d hardware threads each, which gain "
                 "little over one%s: sbatch --hint=nomultithread, or --threads %d",
                 probes[first].host, threads, whole, (room + whole - 1) / whole,
                 strcmp(hint, "nomultithread") == 0
                     ? " (SLURM_HINT=nomultithread is set, and did not keep them off)"
                     : "",
                 whole > ranks ? whole / ranks : 1);
    }
}
