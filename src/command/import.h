/* import: `lockstep checkpoint import`: weights from elsewhere as a checkpoint. Local. */
#ifndef LOCKSTEP_COMMAND_IMPORT_H
#define LOCKSTEP_COMMAND_IMPORT_H

#include <stdio.h>

#include "lockstep/status.h"

/* Writes FOLDER/step-00000000.h5: what a run of `config`, a file, would begin with, had it drawn
 * the weights of `weights` (weights.h). For images and classes of `data`, as --data names sets;
 * NULL: CIFAR-10's. Nothing can go on from it, for it has no data's hash; eval, predict and
 * --init-from take it. */
Status import_weights(const char *config, const char *weights, const char *folder, const char *data,
                      FILE *out);

#endif
