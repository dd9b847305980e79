/* predictions: predictions.h5, what the network said of each test image at the run's end. Local.
 *
 * Three datasets, one element a test record in its order: label and predicted, int32, and
 * probability, float32, of the predicted class; attributes step and dataset. The same values at any
 * number of ranks. */
#ifndef LOCKSTEP_PREDICTIONS_H
#define LOCKSTEP_PREDICTIONS_H

#include "lockstep/rundir.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Predictions {
    int64_t step; /* steps done */
    const char *dataset;
    int64_t images;
    int32_t *label, *predicted; /* [images] */
    float *probability;         /* [images] of `predicted` */
} Predictions;

/* Replaces the file as a whole, durably. For the main thread while no checkpoint is being written:
 * HDF5 is one thread's at a time. ST_CHECKPOINT. */
Status predictions_write(const RunDir *dir, const Predictions *predictions);

/* Reads it from the run directory FOLDER; images 0 where there is none. `dataset` stays NULL. */
Status predictions_read(const char *folder, Predictions *predictions);

/* Whether the run directory has those of the state after `step`. */
bool predictions_are_of(const RunDir *dir, int64_t step);

/* To another process on this machine, and from one: as they are in memory, but for `dataset`, from
 * the start of what the descriptor leads to. ST_CHECKPOINT. */
Status predictions_send(int out, const Predictions *predictions);
Status predictions_receive(int in, Predictions *predictions);

Status predictions_open(Predictions *predictions, int64_t images); /* room, zeroed */
void predictions_free(Predictions *predictions);                   /* accepts a zeroed struct */

#ifdef __cplusplus
}
#endif
#endif
