/* checkpoint_internal: what the files checkpoint_*.c share. Private to src/io. Local. */
#ifndef LOCKSTEP_IO_CHECKPOINT_INTERNAL_H
#define LOCKSTEP_IO_CHECKPOINT_INTERNAL_H

#include "hdf5_util.h"
#include "lockstep/checkpoint.h"

enum { CHECKPOINT_FILE_NAME = 64 };

/* The integers of RunState under their names in /state; one table for writing and reading. */
typedef struct StateField {
    const char *name;
    size_t offset; /* of an int64_t in RunState */
} StateField;
extern const StateField checkpoint_state_fields[]; /* ended by name NULL */

/* The HDF5 type of HistoryEntry, for H5Tclose. */
Status checkpoint_history_type(hid_t *type);

/* "step-00000800.h5" */
void checkpoint_file_name(int64_t step, char name[CHECKPOINT_FILE_NAME]);

/* True, with the step, for exactly such names. */
bool checkpoint_step_of(const char *name, int64_t *step);

/* ST_OK where there is nobody to ask. */
Status checkpoint_ask(const CheckpointGate *gate);

/* Renames PATH and its sidecar out of the way, to .bad. */
Status checkpoint_quarantine(const char *path);

/* XXH3-128 as the sidecar has it. */
void checkpoint_hex(const void *bytes, size_t size, char hex[33]);

#endif
