/* changes: what was asked for over a recipe. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_CHANGES_H
#define LOCKSTEP_CONFIG_CHANGES_H

#include "lockstep/config.h"

/* Sets config->changes: where `config` differs from `recipe`, which is the file alone. What does
 * not fit is left out, whole lines of it. */
void config_note_changes(const RunConfig *recipe, RunConfig *config);

#endif
