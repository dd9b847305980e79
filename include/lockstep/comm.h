/* comm: ranks. The control plane (agreement, broadcast, comparison) is always MPI, or nothing for
 * one rank without a launcher; the data plane sums buckets.
 *
 * Every wait has a deadline. A rank whose wait passes it exchanges with all others that wait where
 * they are; one of them prints one line, and all end: an early return of one rank between two
 * collectives would hang the others for good. So a Status other than ST_OK from a collective here
 * means that MPI itself failed; the caller must go to comm_abort, never to comm_close. comm_agree
 * and comm_same go there themselves, so their Status is always one that all ranks have.
 *
 * There is a third outcome beside these two once comm_survive was called: ranks were lost, and the
 * others go on. Below, at "Lost ranks".
 *
 * Two threads may call MPI at once (main: control plane; reducer: data plane; whichever waits also
 * tells other ranks where), each on a communicator of its own: MPI_THREAD_MULTIPLE is required. */
#ifndef LOCKSTEP_COMM_H
#define LOCKSTEP_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/flight.h"
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
    STAGE_COMPARE, /* of what all ranks hold alike */
    STAGE_CHECKPOINT,
    STAGE_FINISH
} Stage;

/* True where an MPI launcher (mpirun, srun) started this process. Local; does not touch MPI. */
bool comm_launched(void);

/* The MPI that is loaded: "Open MPI v4.1.4", "MPICH Version: 4.0.2". Local; before comm_open_mpi as
 * well. */
void comm_mpi_version(char *out, size_t room);

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
const char *comm_library(const Comm *comm); /* comm_mpi_version; "none" */
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

/* Collective, data plane: sums `data`[count] of DT_I64, DT_I32 (modulo 2^32), DT_F32 or (NCCL
 * alone) DT_BF16 in place over ranks; called by one thread at a time (the reducer's), in the same
 * order on every rank. `after`: NULL, or the device's Mark behind the work that completes `data`.
 * `bucket` is for the deadline's line. */
Status comm_reduce(Comm *comm, void *data, int64_t count, DType dtype, void *after, int bucket);

/* Collective, agreed: from now on NCCL sums, over the CUDA devices that are current in the calling
 * threads; `data` is device memory, `after` a cudaEvent_t. ST_DEVICE where two ranks have the same
 * GPU. Does nothing without MPI. Part of the CUDA backend's shared object. */
Status comm_open_nccl(Comm *comm);

/* ---- Lost ranks. ----
 *
 * After comm_survive a rank that dies does not end the others. Any collective then may come back
 * with ST_LOST, comm_agree and comm_same too, and on some ranks only: those that the dead one kept
 * from its end. What they have done so far differs from what others have. So work is cut into
 * sections, each of which ends in comm_commit:
 *
 *     status = comm_commit(comm, section());     the same outcome on all that are left
 *     ST_OK      each of them has done the section, and it counts
 *     ST_LOST    it does not, and whoever has done a part of it undoes that and does it again
 *
 * A section that fails with ST_LOST must come to its comm_commit with no other collective between.
 * Either outcome may come with a smaller communicator: comm_losses has grown, this rank and size
 * are others, and no collective of before is under way. Flight records end there: comm_record.
 *
 * It costs a barrier a section. How that comes about: src/comm/comm_mpi_survive.c. */

/* A rank that died. */
typedef struct CommLoss {
    int rank;      /* as ranks were numbered then */
    char host[64]; /* where it was */
    int64_t step;  /* in which the lowest rank that is left learnt of it; -1: none */
} CommLoss;

/* From now on ranks can be lost. Local, the same on every rank. ST_USAGE where MPI does not tell of
 * dead ranks, or was not asked to; and for one rank without MPI, which leaves nobody. */
Status comm_survive(Comm *comm);

/* The end of a section that came to `mine` on this rank. Collective, agreed where `mine` is ST_OK
 * or ST_LOST; another one is returned as it is. Before comm_survive, and after a section without
 * collectives, it does nothing. */
Status comm_commit(Comm *comm, Status mine);

/* Ranks lost so far, in *losses (borrowed, until the next comm_commit) in the order in which they
 * were found. Local. */
int64_t comm_losses(const Comm *comm, const CommLoss **losses);

/* ---- The flight recorder (flight.h). ---- */

/* This rank's; every collective and every comm_at stands there by itself. Local. */
Flight *comm_flight(Comm *comm);
const char *comm_host_of(const Comm *comm, int rank);

/* From now on the record is written to RUN/flight/START/rank-N when this rank fails, waits for
 * longer than its deadline, hears that another rank ends the run, or gets SIGTERM (flight_ask) or
 * SIGQUIT, upon which it goes on. A thread does it, which also hears the signal: SIGQUIT must be
 * blocked in all others (flight_block). *where: the folder; in $TMPDIR where this rank does not see
 * RUN. Until comm_close. Local. ST_INTERNAL. */
Status comm_record(Comm *comm, const char *run, const char *start, char where[4096]);

/* Writes it, in a second at most. Does nothing before comm_record. Local, thread-safe. */
void comm_write_record(Comm *comm, const char *reason);

/* Blocks SIGQUIT in the calling thread and those that it begins. Local. */
void flight_block(void);

/* Asks for the record to be written soon; for signal handlers. */
void flight_ask(void);

/* A step begins, while no bucket is under way: a mark among the sums of the data plane, so that a
 * rank that has left one out shows. Local. */
void comm_begin_step(Comm *comm);

/* A hash of the collectives that this rank has come to: of the control plane, and of the data plane
 * while no bucket is under way. Ranks whose hashes differ have parted: comm_part. */
uint64_t comm_calls(const Comm *comm);

/* Collective; never returns: the ranks find out which collective they have not all made alike, one
 * says so, and all end with ST_COMM. */
void comm_part(Comm *comm) __attribute__((noreturn));

/* What --crash-at plants in the next sum of a bucket: it is never begun, left out, or of another
 * size. */
typedef enum CommFault { FAULT_NONE, FAULT_HANG, FAULT_SKIP, FAULT_SIZE } CommFault;
void comm_plant(Comm *comm, CommFault fault);

/* Local, never returns: prints this thread's recorded message (or only the status where there is
 * none, or nothing where it was printed already) and ends all ranks with `status` as their exit
 * code. */
void comm_abort(Comm *comm, Status status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
