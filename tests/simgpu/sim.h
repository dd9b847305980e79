/* sim: what the simulated libraries share. The simulated libcudart exports these; the simulated
 * libcudnn and libnccl link with it.
 *
 * A machine without a GPU runs the very program that users run: the dynamic linker finds these
 * libraries in place of NVIDIA's. Work that is enqueued on a stream becomes an op; one engine
 * thread a process runs the ops, as early or as late or in as odd an order as the program's streams
 * and events allow ($SIMGPU_SCHEDULE), and every byte an op reads or writes is checked: it must
 * belong to one live allocation, hold a value, and be ordered against every other op that touches
 * it.
 *
 * A finding prints one line, `SIMGPU[rank] ...`, and ends the process with code 99. */
#ifndef SIMGPU_SIM_H
#define SIMGPU_SIM_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SimOp SimOp;

/* What an op's function says when it returns: done, or to be called again later (a collective that
 * waits for other ranks). */
typedef enum SimTurn { SIM_AGAIN, SIM_DONE } SimTurn;
typedef SimTurn (*SimRun)(SimOp *op, void *arg);

enum { SIM_EXIT_CODE = 99 };

/* Prints a finding and ends the process. */
void sim_report(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* One lock guards all state of the simulation. An op's function runs without it. */
void sim_lock(void);
void sim_unlock(void);

/* Enqueues work; the lock must be held. `arg` is copied, so it must not own anything: while the
 * stream is being captured the copy becomes a node of the graph and runs at every launch (the
 * result is NULL then). `name` must live on. */
SimOp *sim_enqueue(cudaStream_t stream, const char *name, SimRun run, const void *arg,
                   size_t bytes);

/* Demands that the op, and all it waits for, run even under the lazy schedule. Lock held. */
void sim_force(SimOp *op);

/* Inside an op's function: checks that the op may read, or write, [at, at + bytes), remembers it
 * for the search for races, and returns where the engine finds these bytes. `what` names them in
 * findings. sim_read also checks that every byte was written before. */
const void *sim_read(SimOp *op, const void *at, size_t bytes, const char *what);
void *sim_write(SimOp *op, void *at, size_t bytes, const char *what);

/* Makes device memory as good as new: NaN, and an error to read (cuDNN's workspace). */
void sim_forget(SimOp *op, void *at, size_t bytes, const char *what);

/* Inside an op's function: how long it takes in simulated time, which events measure: nothing
 * unless it says so. */
void sim_cost(SimOp *op, int units);

bool sim_is_device(const void *at);

/* The engine calls `poll` every turn, with the lock held. sim_unpoll takes it out again. */
void sim_poll(void (*poll)(void *), void *arg);
void sim_unpoll(void *arg);

/* Whether a stream is being captured. */
bool sim_capturing(cudaStream_t stream);

/* The calling thread's device, and a number that is unique to it on this host. */
int sim_device(void);
const char *sim_rank(void);

/* Counts things that must be gone when the program ends with success ("cuDNN descriptors"). */
typedef struct SimCounter {
    const char *name;
    long live;
    struct SimCounter *next;
    bool listed;
} SimCounter;
void sim_count(SimCounter *counter, int by);

/* $SIMGPU_COUNTS: adds one of `name`, of so many bytes, to what is printed at the end. */
void sim_tally(const char *name, size_t bytes);

#endif
