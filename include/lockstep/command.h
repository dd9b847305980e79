/* command: the subcommands. Each takes argv from the subcommand's name on, prints its own errors
 * and returns the process's exit status. With --help each is Local. */
#ifndef LOCKSTEP_COMMAND_H
#define LOCKSTEP_COMMAND_H

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Trains. Collective; --dump-config and --describe are Local. */
Status train_command(int argc, char **argv);

/* Accuracy of a checkpoint on the test set. Collective. */
Status eval_command(int argc, char **argv);

/* What a checkpoint takes pictures for. One process; Collective of that. */
Status predict_command(int argc, char **argv);

/* What is in a checkpoint, and whether every byte checks. Local. */
Status inspect_command(int argc, char **argv);

/* Lists, verifies, seals and prunes a run's checkpoints. Local. */
Status checkpoint_command(int argc, char **argv);

/* Where the ranks of a run parted or stood still, by their flight records. Local. */
Status flight_command(int argc, char **argv);

/* How model text is written, and every kind of layer. Local. */
Status layers_command(int argc, char **argv);

/* Every option of train. Local. */
Status options_command(int argc, char **argv);

/* Pictures and a page of runs. Local. */
Status report_command(int argc, char **argv);

/* Pictures for TensorBoard, for `lockstep train` alone. Local. */
Status pictures_command(int argc, char **argv);

/* A figure of a table. Local. */
Status plot_command(int argc, char **argv);

/* A table of the runs below a folder. Local. */
Status runs_command(int argc, char **argv);

/* Speed of a recipe by phase and layer. Collective. */
Status bench_command(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
