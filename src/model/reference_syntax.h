/* reference_syntax: the part of the reference that holds for all kinds (reference.c has the kinds).
 * Private to src/model. Local. */
#ifndef LOCKSTEP_MODEL_REFERENCE_SYNTAX_H
#define LOCKSTEP_MODEL_REFERENCE_SYNTAX_H

#include "lockstep/model.h"

/* What holds for every kind: lines, names, inputs; up to where the kinds begin. */
void reference_syntax(bool markdown, FILE *out);

#endif
