/* weights: the arrays of a network in an HDF5 file that is no checkpoint: what another program has
 * trained. Local.
 *
 *   /params/NAME     float32, little-endian, in the shape that the network's parameter has
 *   /running/NAME    batch-norm running statistics likewise
 *
 * All of the network's, and no others; stored as one likes. scripts/from_pytorch.py makes them. */
#ifndef LOCKSTEP_WEIGHTS_H
#define LOCKSTEP_WEIGHTS_H

#include "lockstep/model.h"
#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Into weight[flat] and running[running_flat], gaps set to 0. ST_CHECKPOINT naming the file and the
 * array that is missing, of another shape or type, not finite, or whether there are others. */
Status weights_read(const char *path, const Model *model, float *weight, float *running);

#ifdef __cplusplus
}
#endif
#endif
