/* crosscheck: whether ranks that read files of their own have read the same images.
 *
 * Each part of the data (a lane's shard, a rank's share of the test set and of what is held out) is
 * read and hashed by its owner, and where ranks have more than one copy of the files (Place.copy)
 * once more by a rank of another copy: on another node where there is one. The second reading is
 * done by a thread, while the model is planned. Where all ranks read the same files on one host
 * nothing is read again. */
#ifndef LOCKSTEP_ENGINE_CROSSCHECK_H
#define LOCKSTEP_ENGINE_CROSSCHECK_H

#include "lockstep/input.h"

typedef struct Crosscheck Crosscheck;

/* Begins to read what falls to this rank as a second reader; *check is NULL where there is nothing
 * to compare. After input_compare and once this rank has read its own parts. Collective, agreed. */
Status crosscheck_start(const Input *input, const RunConfig *config, Comm *comm,
                        Crosscheck **check);

/* Waits for it, however long it takes, unless for half of --deadline nothing comes back, and
 * compares: ST_DATA names both readers of a part that differs, with hosts, folders and hashes.
 * input->bytes grows by what was read. `check` may be NULL. Collective, agreed, but for a deadline
 * that passes: session_judge speaks then. */
Status crosscheck_end(Crosscheck *check, Input *input, Comm *comm);

/* Ends its thread. Accepts NULL. */
void crosscheck_free(Crosscheck *check);

/* reader[size]: who reads the lanes[owner] of each owner as well. A rank of another copy of the
 * files, on another host rather than on the same; of these one that has least to read so far, in
 * load[size], and the next one after the owner. -1 where there is only one copy. Local, the same on
 * every rank; shown for tests. */
void crosscheck_readers(const Place *places, const int64_t *lanes, int size, int64_t *load,
                        int *reader);

#endif
