/* lineage: which branch of a run a state is on. Local.
 *
 * A run that goes on from anything but its own newest state is a new branch of it. A lineage is a
 * text that tells the branches that led to a state, oldest first, with blanks between: each a
 * random id and the step at which it left the one before, "0123456789abcdef@0 fedcba9876543210@12".
 * Each checkpoint carries its own; "" is that of files which were written before there were any. */
#ifndef LOCKSTEP_LINEAGE_H
#define LOCKSTEP_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A new branch that leaves `from` after `step`; the caller frees *lineage. */
Status lineage_branch(const char *from, int64_t step, char **lineage);

/* Whether the state of lineage `of` after `step` is one of `lineage`, and not of a branch that was
 * left before. */
bool lineage_holds(const char *lineage, const char *of, int64_t step);

/* The step at which the last branch began; 0 of "". */
int64_t lineage_begin(const char *lineage);

/* The id of the last branch; of "" it is all zeros. */
enum { LINEAGE_ID_BYTES = 17 };
void lineage_id(const char *lineage, char id[LINEAGE_ID_BYTES]);

bool lineage_is_valid(const char *text);

#ifdef __cplusplus
}
#endif
#endif
