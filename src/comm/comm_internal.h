/* comm_internal: what the communicators share behind comm.h.
 *
 * A Comm has two planes. The control plane (comm_self, comm_mpi) makes it, owns it and ends it; the
 * data plane (data_plane.h) sums buckets and may be another library on the same ranks, set by
 * whoever opens that library after the control plane. comm.c holds everything that can be said in
 * terms of the planes. */
#ifndef LOCKSTEP_COMM_INTERNAL_H
#define LOCKSTEP_COMM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "lockstep/data_plane.h"
#include "lockstep/flight.h"

enum { COMM_HOST_MAX = 64, COMM_LIBRARY_MAX = 64 };

typedef enum ReduceOp { REDUCE_SUM, REDUCE_MIN, REDUCE_MAX } ReduceOp;

typedef struct ControlPlane {
    Status (*barrier)(Comm *comm);
    Status (*bcast)(Comm *comm, void *data, size_t bytes, int root);
    Status (*allgather)(Comm *comm, const void *mine, size_t bytes, void *all);
    /* In place; DT_I64, DT_F32 or DT_F64. */
    Status (*allreduce)(Comm *comm, void *data, int64_t count, DType dtype, ReduceOp op);
    /* comm_pause. */
    void (*pause)(Comm *comm, Pause *pause, int bucket);
    /* Leaves together with the other ranks and frees control_state. */
    void (*close)(Comm *comm);
    /* Prints `message` (NULL: someone has spoken already) and ends all ranks; never returns. */
    void (*end)(Comm *comm, Status status, const char *message);
    /* The ranks have made different collectives: finds out which, says so and ends all ranks. */
    void (*part)(Comm *comm);
    /* Whether another rank has said that the run ends. Any thread. */
    bool (*ends)(Comm *comm);
    /* The host of another rank. */
    const char *(*host)(const Comm *comm, int rank);
    /* comm_survive, and comm_commit after it; NULL: there is one rank. */
    Status (*survive)(Comm *comm);
    Status (*commit)(Comm *comm, Status mine);
    /* comm_revoke and comm_sees_loss, after it. */
    void (*revoke)(Comm *comm);
    bool (*sees_loss)(Comm *comm);
} ControlPlane;

struct Comm {
    const ControlPlane *control;
    const DataPlane *data, *own_data; /* own_data: the control plane's */
    void *control_state;              /* owned by the control plane */
    void *data_state; /* owned by the data plane; borrowed where both are one library */
    int rank, size, local_rank, local_size;
    int leader; /* the first rank of this host */
    char host[COMM_HOST_MAX];
    char library[COMM_LIBRARY_MAX];
    _Atomic double deadline; /* s */
    _Atomic int64_t step;    /* -1: none */
    _Atomic int stage;       /* Stage */
    Flight *flight;
    /* Collectives that this rank has come to, of each plane, and a hash of all of them: one thread
     * of a plane at a time. */
    int64_t sequence[FLIGHT_PLANES];
    uint64_t calls[FLIGHT_PLANES];
    int64_t stage_order; /* flight entry of `stage` */
    CommFault fault;     /* of the next sum of a bucket */
    bool survives;       /* comm_survive was called */
    Status agreed;       /* the last failure that the ranks have agreed on; ST_OK: none */
    int64_t committed;   /* collectives, of both planes, before the last comm_commit */
    CommLoss *losses;    /* [n_losses], owned */
    int64_t n_losses;
    struct FlightWatch *watch; /* NULL: the record is not kept */
    /* Held for good by the thread that speaks the run's last line and ends it, so that no second
     * thread does; for moments by a waiting thread that looks whether other ranks ask. */
    pthread_mutex_t ending;
};

/* A Comm of one rank on this host, with the given planes; NULL when out of memory. */
Comm *comm_new(const ControlPlane *control, const DataPlane *data, double deadline_s);
void comm_delete(Comm *comm); /* accepts NULL */

/* Processes that this one's launcher says it started, itself among them; 0 where there is none. */
int comm_launcher_size(void);

/* Ranks were lost: the control plane's own data plane takes over from a library that is left
 * (DataPlane.leave), until that is opened again. */
Status comm_leave_data_plane(Comm *comm);

/* "setup", "reduce", ... */
const char *comm_stage_word(Stage stage);

#endif
