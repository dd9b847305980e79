/* limits: what of a host a process may use: memory, whole cores, room on a disk, a GPU to itself.
 * Private to src/preflight. Local. `root` stands before /proc and /sys: "", but for tests. */
#ifndef LOCKSTEP_PREFLIGHT_LIMITS_H
#define LOCKSTEP_PREFLIGHT_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/cores.h"

/* The least limit of the memory of this process's control group (version 1 or 2) and of those that
 * it is in, in bytes; -1: none. */
int64_t limits_cgroup_memory(const char *root);

/* What Slurm's variables say that the job has on this host, in bytes; -1: they do not, or all. */
int64_t limits_slurm_memory(void);

/* The cores behind hardware threads: of each in `threads` the first of its core's. */
CoreSet limits_cores(const char *root, const CoreSet *threads);

/* What quotas say of a folder. */
typedef struct Quota {
    int64_t room;        /* bytes that this user's, or the folder's group's, leave; -1: not known */
    const char *command; /* which asks where the system does not tell, as Lustre's; else NULL */
} Quota;
Quota limits_quota(const char *root, const char *folder);

/* Who else has a GPU, as its driver's library tells. */
typedef struct GpuSharing {
    int others; /* processes that compute there, but for this one; -1: not known */
    bool mig;   /* it is cut into parts, of which this process has one */
} GpuSharing;
/* Of that PCI address, on which this process computes already. */
GpuSharing limits_gpu(const char *address);

#endif
