/* checkpoint_fit: whether what a file holds goes together. Private to src/io. Local. */
#ifndef LOCKSTEP_IO_CHECKPOINT_FIT_H
#define LOCKSTEP_IO_CHECKPOINT_FIT_H

#include <hdf5.h>

#include "lockstep/checkpoint.h"

/* Whether the run of the file's configuration has these arrays, and no others, in this order: those
 * of its model, its optimizer and its averages. ST_USAGE naming the first thing that differs, or
 * what of the configuration this program cannot read: bytes that are in order but not of this
 * program, so that nothing is known of them. */
Status checkpoint_fit(hid_t file, const Checkpoint *meta);

#endif
