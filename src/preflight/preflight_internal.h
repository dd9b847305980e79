/* preflight_internal: what `lockstep preflight` finds out. probe.c looks at one rank's host,
 * reduce.c sums over all, carried.c and nccl_told.c say by which links, report.c compares hosts,
 * notes.c says what a rank shares or is kept from, preflight.c is the command. */
#ifndef LOCKSTEP_PREFLIGHT_INTERNAL_H
#define LOCKSTEP_PREFLIGHT_INTERNAL_H

#include "limits.h"
#include "lockstep/links.h"
#include "lockstep/session.h"
#include "nccl_log.h"

/* One rank's findings; plain bytes, gathered on all ranks. */
typedef struct Probe {
    char host[64];
    int local_rank, launcher_local_rank; /* launcher's: -1 where it does not say */
    int ranks_here;
    CoreShare share;                  /* its threads and cores */
    CoreSet cores;                    /* behind share.own, by the first thread of each */
    char hint[16];                    /* SLURM_HINT */
    int64_t memory;                   /* bytes of the host */
    int64_t memory_limit;             /* of its control group, or its job; -1: none */
    int64_t tmp_free, shm_free;       /* bytes; -1: cannot be asked */
    int64_t seconds;                  /* wall clock, right after a collective */
    char tmp[128];                    /* TMPDIR or /tmp */
    char system[64];                  /* kernel */
    char libraries[160];              /* versions_line */
    char interfaces[160], hints[256]; /* site_interfaces, site_network */
    Status device_status, data_status;
    char device[160], instruction_set[32]; /* or why there is none */
    bool gpu;
    int gpus_seen; /* that it might have taken */
    GpuSharing sharing;
    char gpu_address[24];      /* Device.address of its own */
    char cuda[96], driver[16]; /* of a GPU's libraries: versions_cuda_line, CudaVersions */
    char data[512];            /* why the data set cannot be read */
    uint64_t data_hash;        /* of all records; 0 for synthetic ones */
    int64_t records[2];
} Probe;

/* The summing of one message size. */
typedef struct ReduceTime {
    int64_t bytes;
    double seconds; /* median over repeats of the slowest rank */
} ReduceTime;

enum { REDUCE_SIZES = 4, REDUCE_REPEATS = 7 };

/* Over which link a rank's host has sent what was summed; plain bytes. */
typedef struct Carried {
    char host[64];
    Link carrier, fastest; /* no name: the counters do not say, no speed is known */
} Carried;

/* What a rank's NCCL wrote of its ways to others; plain bytes. */
typedef struct NcclTold {
    char host[64], address[24]; /* of its GPU: Device.address */
    char port[48];              /* of InfiniBand or RoCE, and up: "mlx5_0/1 (100 Gb/s)"; "": none */
    bool users, ours;           /* whose log it is; neither: it cannot be had */
    int within_reach; /* ranks that it sends to through the host's memory, though not forced to */
    NcclLog log;
} NcclTold;

/* This rank's host. The device stays open in session->device, if there is one. Local. */
void probe_host(Session *session, Probe *probe);

/* Sums integers over ranks by the data plane, checks every element, and times it:
 * times[REDUCE_SIZES]. `device` NULL: the numbers are in host memory. Collective; a Status other
 * than ST_OK is agreed or means comm_abort. */
Status probe_reduce(Session *session, Device *device, ReduceTime *times);

/* Gb/s that a rank sends, on the wire alone, in a sum over `ranks` of them. */
double wire_rate(const ReduceTime *time, int ranks);

/* `before`: the links before the sums of `times`. *all: [ranks], the caller's to free. Collective;
 * a Status other than ST_OK is agreed or means comm_abort. */
Status gather_carried(Session *session, const Links *before, const ReduceTime *times,
                      Carried **all);

/* A line for each link, and a warning where another one is faster; nothing on one host. Local. */
void print_carried(const Session *session, const Carried *all, const ReduceTime *times);

/* Has NCCL write what it chooses to memory: a file to read there, -1 where whoever started this has
 * NCCL write (NCCL_DEBUG), or it cannot be had. Sets variables, so before any thread. Local. */
int nccl_listen(void);

/* What each rank's NCCL wrote, after sums. *all: [ranks], the caller's to free. Collective; a
 * Status other than ST_OK is agreed or means comm_abort. */
Status gather_nccl(Session *session, int file, NcclTold **all);

/* The ways that NCCL took, how much of them the sums took, and a warning for each host where it
 * takes a slow one though a fast one is there; one line where it cannot be told. Local, rank 0. */
void print_nccl(const NcclTold *all, int size, const char *library, const ReduceTime *times);

/* The table, and the times of one library. Local, rank 0; shares[ranks] are those of the probes. */
void print_probes(const Session *session, const Probe *probes, const CoreShare *shares);
void print_reduce(const Session *session, const char *library, const ReduceTime *times);

/* Whether `rank` is the first of its host. Local. */
bool leads(const Probe *probes, int rank);

/* A warning for each host whose ranks do not see each other's GPUs. Local, rank 0. */
void note_gpus(const Probe *probes, int size);

/* One for each GPU that is shared, and for each host on which more threads compute than it has
 * cores, though not more than hardware threads. Local, rank 0. */
void note_gpu_sharing(const Probe *probes, int size);
void note_threads(const Probe *probes, int size);

/* Everything that would stop or spoil a run: notes are printed, problems too but for the first,
 * which is the failure returned. Local, rank 0. */
Status judge_probes(const Session *session, const Probe *probes, const CoreShare *shares);

#endif
