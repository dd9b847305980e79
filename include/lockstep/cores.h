/* cores: which cores the ranks of a host may use, and a hint where that costs speed.
 *
 * mpirun binds each of up to two ranks to one core, where all its threads share it, and more ranks
 * to a socket each, unless it is told otherwise (scripts/env.sh). */
#ifndef LOCKSTEP_CORES_H
#define LOCKSTEP_CORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A set of cores: a cpu_set_t of sched.h. */
typedef struct CoreSet {
    unsigned long bits[16];
} CoreSet;

/* What one rank may use; plain bytes, gathered from all ranks. */
typedef struct CoreShare {
    char host[64];
    int32_t threads;  /* compute threads */
    int32_t wanted;   /* threads that it would have with more lanes */
    int32_t chosen;   /* 1: their number followed from the cores */
    CoreSet own;      /* cores of this process */
    CoreSet launcher; /* of the process that started it, where that was mpirun or its daemon;
                       * else as `own` */
} CoreShare;

/* How many a set has; its union with another one. Local. */
int cores_count(const CoreSet *set);
void cores_add(CoreSet *set, const CoreSet *more);

/* Of this process; `threads` and `chosen` are the caller's. Local. */
void cores_look(const char *host, CoreShare *share);

/* Compute threads, each with a stream of its own, that suit a rank of `cores` on an accelerator
 * which computes `lanes` of `images` each: lanes side by side fill what a small lane leaves idle,
 * and hide what lies between its kernels. More than a few gain little, and each has buffers of its
 * own, so that no more images than a large lane's are computed at once. No thread without a core:
 * it enqueues all of its stream's work. Local. */
int cores_streams(int cores, int64_t lanes, int64_t images);

/* The number of cores that the ranks of `host` among shares[size] and their launchers may use:
 * under srun each rank may have others. Local. */
int cores_of_host(const CoreShare *shares, int size, const char *host);

/* One line into hint[room], about the first host of shares[size] whose ranks are bound to fewer
 * cores than they could use, or have more threads than cores each: its first rank, or -1 where
 * there is none. Local. */
int cores_hint(const CoreShare *shares, int size, char *hint, size_t room);

/* Where cores stay idle because a run of `batch` images a step has too few lanes: one line into
 * line[room] that counts them and names the --lanes that would use them, and true. Local. */
bool cores_idle(const CoreShare *shares, int size, int64_t lanes, int64_t batch, char *line,
                size_t room);

#ifdef __cplusplus
}
#endif
#endif
