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
} DataPlane;

/* From now on `plane` sums, with `state`. Local: the caller sees to it that every rank does. */
void comm_set_data_plane(Comm *comm, const DataPlane *plane, void *state);

/* Adds the library's name to comm_library: "NCCL 2.27.3". Local. */
void comm_name_data_plane(Comm *comm, const char *name);

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
