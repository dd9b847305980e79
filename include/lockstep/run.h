/* run: the subcommands. Each takes argv after the subcommand's name, prints its own errors and
 * returns the process's exit status. Collective under an MPI launcher where it says so. */
#ifndef LOCKSTEP_RUN_H
#define LOCKSTEP_RUN_H

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Trains. Collective. */
Status train_command(int argc, char **argv);

/* Accuracy of a checkpoint on the test set. Collective. */
Status eval_command(int argc, char **argv);

/* What is in a checkpoint, and whether every byte checks. Local. */
Status inspect_command(int argc, char **argv);

/* Whether the hosts of a run have what it needs, and the same; an all-reduce checked and timed.
 * Collective. */
Status preflight_command(int argc, char **argv);

/* Speed of a recipe by phase and op, on random images. Local. */
Status bench_command(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
