/* nccl_log: what NCCL writes of the ways it took, with NCCL_DEBUG=INFO and NCCL_DEBUG_SUBSYS=INIT,
 * GRAPH, as of NCCL 2.4 to 2.30. Pure: text in, what it says out. No line is trusted to be what it
 * looks like: one of a way that is not known here makes the whole strange, never a guess.
 *
 * Lines end up there when ranks connect, since NCCL 2.22 at the first sum that needs the way:
 *   HOST:PID:TID [DEVICE] NCCL INFO Channel 00/0 : 3[3] -> 2[2] via P2P/CUMEM
 *   ... NCCL INFO Channel 00/0 : 2[0] -> 0[0] [send] via NET/IB/3/GDRDMA
 *   ... NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB [RO]; OOB ib0:10.1.0.5<0>
 *   ... NCCL INFO Pattern 4, crossNic 0, nChannels 12, bw 30.0/30.0, type NVL/PIX, sameChannels 1
 */
#ifndef LOCKSTEP_PREFLIGHT_NCCL_LOG_H
#define LOCKSTEP_PREFLIGHT_NCCL_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum { NCCL_ROUTES_MAX = 64, NCCL_NAME_MAX = 32 };

/* One of a rank's ways to another, by which it sends. */
typedef struct NcclRoute {
    int to;                     /* -1: to all, through switches that sum (COLLNET) */
    char by[NCCL_NAME_MAX];     /* "P2P/CUMEM", "SHM", "NET/IB/GDRDMA", "NET/Socket" */
    char device[NCCL_NAME_MAX]; /* of NET: "mlx5_0/1", "eth0"; "" where it was not named */
} NcclRoute;

typedef enum NcclSaid { NCCL_NOTHING, NCCL_ROUTES, NCCL_STRANGE } NcclSaid;

typedef struct NcclLog {
    NcclSaid said; /* NCCL_ROUTES: all that follows is so */
    int n;
    NcclRoute route[NCCL_ROUTES_MAX]; /* each once */
    char ring[4];                     /* the worst step of a ring inside a host, "NVL", "PIX"... */
    int channels;                     /* of rings; 0: not said */
    double rate;                      /* GB/s of one inside a host, as NCCL reckons */
    bool switch_sums;                 /* NVLink's switch sums too (NVLS) */
} NcclLog;

/* Reads what `rank` of `size` ranks wrote. Local. */
void nccl_log_read(const char *text, size_t bytes, int rank, int size, NcclLog *log);

#endif
