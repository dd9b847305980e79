/* checkpoint_format: names and tables that writing and reading share. Private to src/io. Local.
 *
 * The files checkpoint_*.c stand above each other: write, dir, read, format. */
#ifndef LOCKSTEP_IO_CHECKPOINT_FORMAT_H
#define LOCKSTEP_IO_CHECKPOINT_FORMAT_H

#include <hdf5.h>

#include "lockstep/checkpoint.h"
#include "lockstep/hash.h"

enum { CHECKPOINT_FILE_NAME = 64 };

/* Among the slots of /optimizer, whose names it is behind, the one that is no parameters'. */
#define SLOW_RUNNING "slow_running"

/* The attribute of /meta, in files of this version and later ones. */
#define CONTENT_HASH "content_hash"
enum { CONTENT_HASH_SINCE = 5 };

/* Of /meta. */
#define STEPS_PER_EPOCH "steps_per_epoch"

/* The integers of RunState under their names in /state. */
typedef struct StateField {
    const char *name;
    size_t offset; /* of an int64_t in RunState */
} StateField;
extern const StateField checkpoint_state_fields[]; /* ended by name NULL */

/* The dataset of /state: Checkpoint.peak. A file has the version of its format, and another has the
 * one before. */
#define GRADIENT_PEAK "gradient_peak"
enum { GRADIENT_PEAK_SINCE = 6 };

/* The HDF5 type of HistoryEntry, for H5Tclose. */
Status checkpoint_history_type(hid_t *type);

/* The dataset of /state, RunState.runners_up, and the HDF5 type of one, for H5Tclose. */
#define RUNNERS_UP "runners_up"
Status checkpoint_evaluated_type(hid_t *type);

/* Reads [n_params] of /state; ST_CHECKPOINT where there is none, or one that no run comes to. */
Status checkpoint_read_peak(hid_t file, int n_params, int64_t *peak);

/* The names of the slots as a file has them, with blanks between. */
void checkpoint_slots(const Checkpoint *checkpoint, char text[256]);

/* The step of the state of that rank (checkpoint_rank); -1: there is none. */
int64_t checkpoint_step_of_rank(const RunState *state, int64_t rank);

/* The last part of the state hash. */
void checkpoint_hash_rates(HashState *hash, const RunState *state);

/* Whether there is anything to say of bad steps. */
bool checkpoint_has_bad_steps(const RunState *state);

/* Hash of all that a file holds, by name, but for the time of day and this hash itself: two files
 * are the same only if it is, and what comes to be stored some day is in it by itself.
 * ST_CHECKPOINT where something is not of a kind that checkpoints have (hdf5_content.h). */
Status checkpoint_content_hash(hid_t file, uint64_t *hash);

/* "step-00000800.h5" */
void checkpoint_file_name(int64_t step, char name[CHECKPOINT_FILE_NAME]);

/* True, with the step, for exactly such a name followed by exactly `suffix`. */
bool checkpoint_step_of(const char *name, const char *suffix, int64_t *step);

#endif
