/* checkpoint_walk: the arrays of a file in the order of the state hash, without a model: groups
 * keep their members in model-text order, so the file alone says what the hash is made of. Private
 * to src/io. Local. */
#ifndef LOCKSTEP_IO_CHECKPOINT_WALK_H
#define LOCKSTEP_IO_CHECKPOINT_WALK_H

#include <hdf5.h>

#include "hdf5_object.h"
#include "lockstep/checkpoint.h"

/* An array of n values in `group`. */
typedef struct WalkArray {
    const char *group, *name;
    int ndim;
    int64_t dim[HDF5_DIMS_MAX], n;
    const float *value;
} WalkArray;

/* Calls `each` for every array; `meta` is the file's. ST_CHECKPOINT. */
Status checkpoint_walk(hid_t file, const Checkpoint *meta,
                       void (*each)(void *context, const WalkArray *array), void *context);

/* Whether the arrays give the state hash that the file carries, and all weights are finite.
 * ST_CHECKPOINT, without its name. */
Status checkpoint_check_hash(hid_t file, const Checkpoint *meta);

#endif
