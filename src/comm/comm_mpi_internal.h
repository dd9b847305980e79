/* comm_mpi_internal: what comm_mpi.c (collectives), comm_mpi_setup.c, comm_mpi_end.c (deadlines,
 * abort), comm_mpi_survive.c (lost ranks) and comm_mpi_memory.c (a hint) share. */
#ifndef LOCKSTEP_COMM_MPI_INTERNAL_H
#define LOCKSTEP_COMM_MPI_INTERNAL_H

#include <mpi.h>

#include "comm_internal.h"

/* Of each plane: as long as it takes a mismatch to be noticed, a step or so, and a message that MPI
 * sends without asking first. */
enum { REPORT_CALLS = 32 };

/* Where a waiting rank is: sent to all others once a deadline has passed somewhere. */
typedef struct Report {
    int64_t step;    /* -1: none */
    int32_t stage;   /* Stage */
    int32_t bucket;  /* -1: none */
    int32_t present; /* 1; 0 in the table of those who have not answered */
    int32_t named;   /* 1 once the line names it; 0 on the wire */
    int32_t parted;  /* 1: it has seen that the ranks have made different collectives */
    int32_t calls;   /* entries of `call` */
    double now;      /* clock_now of the rank */
    /* What it works on, if anything, and the last collectives of each plane. */
    FlightEntry call[1 + FLIGHT_PLANES * REPORT_CALLS];
} Report;

/* Where a rank has waited for a while: sent to rank 0 (comm_mpi_compare.c). The last collective of
 * each plane that it has come to, order 0: none. */
typedef struct Whereabouts {
    FlightEntry last[FLIGHT_PLANES];
} Whereabouts;

/* What MPI has for runs that outlive their ranks (ULFM). */
typedef struct Ulfm {
    int (*revoke)(MPI_Comm comm);
    int (*shrink)(MPI_Comm comm, MPI_Comm *left);
    int (*agree)(MPI_Comm comm, int *flag);
    int (*acknowledge)(MPI_Comm comm); /* what comes from any rank is heard again */
    int (*revoked)(MPI_Comm comm, int *flag);
    int (*failed)(MPI_Comm comm, MPI_Group *failed); /* that this rank knows of */
} Ulfm;

/* Comm.control_state and data_state. */
typedef struct Mpi {
    MPI_Comm control, data;       /* one a thread, so that their collectives cannot mix */
    MPI_Comm leaders;             /* of the first ranks of hosts; else MPI_COMM_NULL */
    MPI_Comm watch;               /* reports and last words, point to point */
    bool watching;                /* all is set up */
    char (*hosts)[COMM_HOST_MAX]; /* [size] */
    Report *reports;              /* [size] of the expiring thread: no allocation in need */
    Report mine;                  /* being sent */
    FlightRecord *records;        /* [size], likewise */
    Whereabouts *places;          /* [size] on rank 0: where ranks have waited last */
    Whereabouts place;            /* being sent to rank 0 */
    MPI_Request sending;          /* of it; MPI_REQUEST_NULL: nothing */
    int64_t sent, received;       /* such messages */
    Ulfm ulfm;                    /* once Comm.survives */
    bool stuck;                   /* a rank was lost, and this one cannot leave the data plane */
    int64_t commits;              /* sections that count */
} Mpi;

/* The communicators of the ranks of `all`, and who is where. Collective. */
Status mpi_set_up(Comm *comm, MPI_Comm all);

/* ControlPlane.survive, .commit, .revoke and .sees_loss. */
Status mpi_survive(Comm *comm);
Status mpi_commit(Comm *comm, Status mine);
void mpi_revoke(Comm *comm);
bool mpi_sees_loss(Comm *comm);

/* mpi_end_comparing for ranks that may be lost: all that are left have come here, and none of them
 * waits for another one to regroup. Collective. */
Status mpi_end_survival(Comm *comm);

/* `status`, in the words of MPI. */
Status mpi_fail(Status status, int error, const char *call, const char *file, int line);

#define TRY_MPI(call)                                                                              \
    do {                                                                                           \
        int mpi_error_ = (call);                                                                   \
        if (mpi_error_ != MPI_SUCCESS)                                                             \
            return mpi_fail(ST_COMM, mpi_error_, #call, __FILE__, __LINE__);                       \
    } while (0)

/* Collective: warns, on rank 0, where MPI will read the memory of other ranks of a host (those of
 * `node`) and the kernel lets it not. */
Status mpi_try_memory(Comm *comm, MPI_Comm node);

/* Of a call that ranks are waited for in: ST_LOST where they may be lost. What MPI says then is not
 * always that: a collective of its own may fail of it in another way. */
#define TRY_WAIT(comm, call)                                                                       \
    do {                                                                                           \
        int mpi_error_ = (call);                                                                   \
        if (mpi_error_ != MPI_SUCCESS)                                                             \
            return mpi_fail((comm)->survives ? ST_LOST : ST_COMM, mpi_error_, #call, __FILE__,     \
                            __LINE__);                                                             \
    } while (0)

enum { TAG_REPORT = 1, TAG_SPOKEN = 2, TAG_PLACE = 3 };

/* A thread that has waited for a while calls this now and then, with Comm.ending held: true where
 * ranks are seen to have made different collectives. */
bool mpi_compare(Comm *comm);

/* Before MPI is left: what was sent has arrived. Collective, of all ranks alike. */
Status mpi_end_comparing(Comm *comm);

/* ControlPlane.part and ControlPlane.ends. */
void mpi_part(Comm *comm) __attribute__((noreturn));
bool mpi_ends(Comm *comm);

/* A waiting thread calls this now and then: where another rank's deadline has passed, this rank
 * joins it and does not return. `bucket`: what the thread waits for, -1 for the control plane;
 * `waited`: s. */
void mpi_watch(Comm *comm, int bucket, double waited);

/* The deadline of this thread's wait has passed. Never returns. */
void mpi_expire(Comm *comm, int bucket) __attribute__((noreturn));

/* ControlPlane.end. */
void mpi_end(Comm *comm, Status status, const char *message) __attribute__((noreturn));

#endif
