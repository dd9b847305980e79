/* comm_mpi_internal: what comm_mpi.c (collectives), comm_mpi_end.c (deadlines, abort) and
 * comm_mpi_memory.c (a hint) share. */
#ifndef LOCKSTEP_COMM_MPI_INTERNAL_H
#define LOCKSTEP_COMM_MPI_INTERNAL_H

#include <mpi.h>

#include "comm_internal.h"

/* Where a waiting rank is: sent to all others once a deadline has passed somewhere. */
typedef struct Report {
    int64_t step;    /* -1: none */
    int32_t stage;   /* Stage */
    int32_t bucket;  /* -1: none */
    int32_t present; /* 1; 0 in the table of those who have not answered */
    int32_t named;   /* 1 once the line names it; 0 on the wire */
} Report;

/* Comm.control_state and data_state. */
typedef struct Mpi {
    MPI_Comm control, data;       /* one a thread, so that their collectives cannot mix */
    MPI_Comm watch;               /* reports and last words, point to point */
    bool watching;                /* all is set up */
    char (*hosts)[COMM_HOST_MAX]; /* [size] */
    Report *reports;              /* [size] of the expiring thread: no allocation in need */
    Report mine;                  /* being sent */
} Mpi;

/* ST_COMM, in the words of MPI. */
Status mpi_fail(int error, const char *call, const char *file, int line);

#define TRY_MPI(call)                                                                              \
    do {                                                                                           \
        int mpi_error_ = (call);                                                                   \
        if (mpi_error_ != MPI_SUCCESS)                                                             \
            return mpi_fail(mpi_error_, #call, __FILE__, __LINE__);                                \
    } while (0)

/* Collective: warns, on rank 0, where MPI will read the memory of other ranks of a host (those of
 * `node`) and the kernel lets it not. */
Status mpi_try_memory(Comm *comm, MPI_Comm node);

/* A waiting thread calls this now and then: where another rank's deadline has passed, this rank
 * joins it and does not return. `bucket`: what the thread waits for, -1 for the control plane. */
void mpi_watch(Comm *comm, int bucket);

/* The deadline of this thread's wait has passed. Never returns. */
void mpi_expire(Comm *comm, int bucket) __attribute__((noreturn));

/* ControlPlane.end. */
void mpi_end(Comm *comm, Status status, const char *message) __attribute__((noreturn));

#endif
