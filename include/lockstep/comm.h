/* comm: ranks. The control plane (agreement, broadcast, comparison) is always MPI, or nothing for
 * one rank without a launcher; the data plane sums buckets.
 *
 * Every wait has a deadline. A rank whose wait passes it exchanges with all others that wait where
 * they are; one of them prints one line, and all end: an early return of one rank between two
 * collectives would hang the others for good. So a Status other than ST_OK from a collective here
 * means that MPI itself failed; the caller must go to comm_abort, never to comm_close. comm_agree
 * and comm_same go there themselves, so their Status is always one that all ranks have.
 *
 * Two threads may call MPI at once (main: control plane; reducer: data plane; whichever waits also
 * tells other ranks where), each on a communicator of its own: MPI_THREAD_MULTIPLE is required. */
#ifndef LOCKSTEP_COMM_H
#define LOCKSTEP_COMM_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Comm Comm;

/* Where a rank is, for the line that a deadline prints. */
typedef enum Stage {
    STAGE_SETUP,
    STAGE_DATA,
    STAGE_COMPUTE,
    STAGE_REDUCE,
    STAGE_OPTIMIZER,
    STAGE_EVALUATE,
    STAGE_CHECKPOINT,
    STAGE_FINISH
} Stage;

/* True where an MPI launcher (mpirun, srun) started this process. Local; does not touch MPI. */
bool comm_launched(void);

/* One rank, no MPI. Local. Calls log_identify, as comm_open_mpi does. */
Status comm_open_self(double deadline_s, Comm **comm);

/* MPI_Init_thread and this run's communicators. Collective. A failure after MPI_Init_thread ends
 * all ranks as comm_abort does. */
Status comm_open_mpi(int *argc, char ***argv, double deadline_s, Comm **comm);

/* Collective: all ranks leave together; MPI_Finalize for MPI. Nothing of lockstep may follow but
 * exit. */
void comm_close(Comm *comm);

/* Local. */
int comm_rank(const Comm *comm);
int comm_size(const Comm *comm);
int comm_local_rank(const Comm *comm); /* among the ranks of this host */
int comm_local_size(const Comm *comm);
const char *comm_host(const Comm *comm);
const char *comm_library(const Comm *comm); /* "Open MPI v4.1.4", "none" */
void comm_set_deadline(Comm *comm, double seconds);
double comm_deadline(const Comm *comm);

/* Local: tells other ranks' deadlines, and comm_abort's line, where this one is. `step` < 0: none.
 */
void comm_at(Comm *comm, int64_t step, Stage stage);

/* Collective. Every rank passes its own status; every rank gets the same one back: that of the
 * lowest rank that failed, which prints its recorded message (log_fatal). Then every rank's record
 * is the agreed status with an empty message: it has been printed. ST_OK where all are ok. */
Status comm_agree(Comm *comm, Status mine);

/* Collective, control plane. */
Status comm_barrier(Comm *comm);
Status comm_bcast(Comm *comm, void *data, size_t bytes, int root);
/* all[size][bytes] on every rank. */
Status comm_allgather(Comm *comm, const void *mine, size_t bytes, void *all);
Status comm_sum_i64(Comm *comm, int64_t *values, int64_t count); /* in place */
Status comm_max_f64(Comm *comm, double *values, int64_t count);  /* in place */

/* Collective. ST_COMM on every rank (agreed and printed) unless `bytes` bytes of `mine` are the
 * same everywhere; the line names the lowest rank that differs from rank 0, `what`, and both texts
 * (mine is text for the reader, at most 256 bytes, NUL-ended). */
Status comm_same(Comm *comm, const char *what, const char *mine);

/* Collective, data plane: sums `data`[count] of DT_I64, DT_F32 or (NCCL alone) DT_BF16 in place
 * over ranks; called by one thread at a time (the reducer's), in the same order on every rank.
 * `after`: NULL, or the device's Mark behind the work that completes `data`. `bucket` is for the
 * deadline's line. */
Status comm_reduce(Comm *comm, void *data, int64_t count, DType dtype, void *after, int bucket);

/* Collective, agreed: from now on NCCL sums, over the CUDA devices that are current in the calling
 * threads; `data` is device memory, `after` a cudaEvent_t. ST_DEVICE where two ranks have the same
 * GPU. Does nothing without MPI. Part of the CUDA backend's shared object. */
Status comm_open_nccl(Comm *comm);

/* Local, never returns: prints this thread's recorded message (or only the status where there is
 * none, or nothing where it was printed already) and ends all ranks with `status` as their exit
 * code. */
void comm_abort(Comm *comm, Status status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
