/* value: an option's value as text and as a field of RunConfig. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_VALUE_H
#define LOCKSTEP_CONFIG_VALUE_H

#include "options.h"

enum { OPTION_VALUE_MAX = 1024 };

/* A truth value as YAML 1.1 writes it (true, yes, on, y and their opposites, each in small letters,
 * in capitals, or with one capital), or 1 or 0. False where `text` is none. */
bool option_truth(const char *text, bool *value);

/* Sets the option's field from text. Lists are items joined by commas, pairs by colons. ST_USAGE
 * with a message that begins with the option's value; the caller adds where it stands. */
Status option_set(const Option *option, const char *text, RunConfig *config);

/* The field as text that option_set reads back to the same bits: `buffer`, or the field itself. */
const char *option_format(const Option *option, const RunConfig *config,
                          char buffer[OPTION_VALUE_MAX]);

#endif
