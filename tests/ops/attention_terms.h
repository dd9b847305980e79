/* attention_terms: the size of what cancels in the gradient of an attention's temperature. */
#ifndef TESTS_OPS_ATTENTION_TERMS_H
#define TESTS_OPS_ATTENTION_TERMS_H

#include "op_run.h"

/* That gradient is one number, a sum over all pairs of tokens of each head of a score times its
 * gradient. Returns the norm of these terms: the typical size of such a sum, which itself may be
 * next to 0, and what the rounding of each term leaves in it goes with. Of a row with
 * `temperature`. */
double attention_terms_norm(const OpCase *row, const OpData *data);

#endif
