/* checkpoint_look: the one look at a file that tells whether it may be used. Private to src/io.
 * Local. */
#ifndef LOCKSTEP_IO_CHECKPOINT_LOOK_H
#define LOCKSTEP_IO_CHECKPOINT_LOOK_H

#include "lockstep/checkpoint.h"

/* Whether the checksum file beside a file is of these very bytes. */
typedef enum CheckpointSeal {
    SEAL_AGREES,
    SEAL_MISSING,
    SEAL_DISAGREES /* another program wrote to the file, or the checksum file is damaged */
} CheckpointSeal;

/* checkpoint_look that hands over, of a good file, the bytes it saw (else NULL) and whether they
 * are sealed; the caller frees *bytes. */
CheckpointVerdict checkpoint_examine(const char *path, char **bytes, size_t *size,
                                     CheckpointSeal *seal);

/* What is behind "good" for people: "agrees with its checksum file". */
const char *checkpoint_seal_text(CheckpointSeal seal);

/* ST_OK where bytes are a checkpoint by all they say of themselves: HDF5's checksums of everything
 * that is stored, the hashes that it carries, numbers within their bounds, arrays that go with the
 * configuration; and where NAME is a checkpoint's, by that. ST_USAGE where they are in order but
 * this program cannot use them, as those of a newer version. */
Status checkpoint_check(const void *bytes, size_t size, const char *name);

#endif
