/* value: an option's value as text and as a field of RunConfig. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_VALUE_H
#define LOCKSTEP_CONFIG_VALUE_H

#include "options.h"

enum { OPTION_VALUE_MAX = 1024 };

/* Sets the option's field from text. Lists are items joined by commas, pairs by colons. ST_USAGE
 * with a message that begins with the option's value; the caller adds where it stands. */
Status option_set(const Option *option, const char *text, RunConfig *config);

/* The field as text that option_set reads back to the same bits: `buffer`, or the field itself. */
const char *option_format(const Option *option, const RunConfig *config,
                          char buffer[OPTION_VALUE_MAX]);

#endif
