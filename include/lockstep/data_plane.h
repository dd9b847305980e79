/* data_plane: who sums buckets over ranks: what made the Comm, or a library of a backend's that
 * takes over (NCCL). The control plane stays: it carries what such a library must know to begin,
 * and its pauses give each wait a deadline. */
#ifndef LOCKSTEP_DATA_PLANE_H
#define LOCKSTEP_DATA_PLANE_H

#include "lockstep/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct DataPlane {
    /* comm_reduce. Collective. */
    Status (*reduce)(Comm *comm, void *state, void *data, int64_t count, DType dtype, void *after,
                     int bucket);
    /* Where the data plane is a library of its own, else NULL. close: together with the other
     * ranks, before the control plane's, and frees `state`. abort: alone, before this rank ends
     * all; from any thread, returns within seconds. */
    Status (*close)(Comm *comm, void *state);
    void (*abort)(void *state);
    /* A rank was lost: leaves the others, alone, with no call under way, and frees `state`. What of
     * the library waits for a lost rank ends within seconds; where it does not, ST_DEADLINE. */
    Status (*leave)(Comm *comm, void *state);
} DataPlane;

/* From now on `plane` sums, with `state`. Local: the caller sees to it that every rank does. */
void comm_set_data_plane(Comm *comm, const DataPlane *plane, void *state);

/* Adds the library's name to comm_library: "NCCL 2.27.3". Local. */
void comm_name_data_plane(Comm *comm, const char *name);

/* Whether comm_survive was called. Local. */
bool comm_may_lose(const Comm *comm);

/* Whether MPI or another rank has seen that a rank is lost: then a wait for all ranks has no end,
 * whatever its library says, and is ST_LOST. It takes some microseconds. False before
 * comm_survive. Local. */
bool comm_sees_loss(Comm *comm);

/* This rank has come to ST_LOST: all waits of all ranks come back with it, until comm_commit. Does
 * nothing before comm_survive. Local. */
void comm_revoke(Comm *comm);

/* Whether there is one rank without MPI, whose sums are there without summing. Local. */
bool comm_is_self(const Comm *comm);

/* One polled wait; begins with {.start = clock_running()}. */
typedef struct Pause {
    double start, watched; /* s: clock_running; into the wait */
} Pause;

/* Between two polls: yields or sleeps, answers other ranks, and does not return where the deadline
 * of the wait has passed. `bucket`: what is waited for, -1 for none. Local. */
void comm_pause(Comm *comm, Pause *pause, int bucket);

#ifdef __cplusplus
}
#endif
#endif
