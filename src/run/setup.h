/* setup: from the configuration to a run that can take its first step. */
#ifndef LOCKSTEP_RUN_SETUP_H
#define LOCKSTEP_RUN_SETUP_H

#include "train.h"

/* Opens the communicator (MPI where launched by mpirun or srun), identifies this process to the
 * log, and agrees on `status`, the outcome of reading the configuration. Collective. */
Status start_ranks(Run *run, Status status);

/* Frees what a run holds, leaves the communicator and returns `status`; a failure that is this
 * rank's alone ends all ranks at once (comm_abort). Collective where `status` is agreed. */
Status end_run(Run *run, Status status);

/* Model text of the configuration, for the images and classes of a data set. Local. */
Status parse_model(const RunConfig *config, const Dataset *dataset, Model *model);

/* Compares build and configuration over ranks, settles threads and lanes. Collective, agreed. */
Status setup_ranks(Run *run);

/* Buckets in a GPU's memory travel by NCCL: joins it, where the device that is open is one.
 * Collective, agreed. */
Status open_data_plane(Run *run);

/* setup_ranks, then finds the data set, reads the model text, takes the run directory, reads the
 * data, finds what to go on from, plans the model. Collective, agreed. */
Status setup_run(Run *run);

/* Starts the loader threads at run->state.step. Local. */
Status start_loader(Run *run);

/* Files of the run that depend on where it resumes: config.yaml, metrics.jsonl, the writer.
 * Collective, agreed. */
Status setup_outputs(Run *run);

/* Cores this process may use. Local. */
int cores_available(void);

/* Compute threads of this rank: `wanted`, or, where that is 0, what suits its device (the CPU while
 * none is open). Local. */
int compute_threads(const Run *run, int64_t wanted);

#endif
