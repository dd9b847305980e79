/* reference_syntax: the part of the reference that holds for all kinds (reference.c has the kinds).
 * Private to src/model. Local. */
#ifndef LOCKSTEP_MODEL_REFERENCE_SYNTAX_H
#define LOCKSTEP_MODEL_REFERENCE_SYNTAX_H

#include "lockstep/model.h"

/* Lines, names, inputs, and an example. */
void reference_syntax(bool markdown, FILE *out);

/* How weights begin; the table of arguments follows. */
void reference_weights(bool markdown, FILE *out);

/* What the sections of the kinds have in common. */
void reference_kinds(bool markdown, FILE *out);

#endif
