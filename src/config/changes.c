/* changes: see changes.h. */
#include "changes.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "value.h"

static void add(RunConfig *config, const char *key, const char *value) {
    size_t used = strlen(config->changes), room = sizeof config->changes - used;
    if (strlen(key) + strlen(value) + sizeof "=\n" <= room)
        snprintf(config->changes + used, room, "%s=%s\n", key, value);
}

void config_note_changes(const RunConfig *recipe, RunConfig *config) {
    char before[OPTION_VALUE_MAX], now[OPTION_VALUE_MAX];
    config->changes[0] = '\0';
    for (const Option *option = config_options; option->key; option++) {
        bool property = (option->flags & (OPTION_UNSTORED | OPTION_ALIAS)) == 0;
        if (!property || option->type == OPTION_ACTION || (option->flags & OPTION_FILE_ONLY) != 0)
            continue;
        const char *value = option_format(option, config, now);
        if (strcmp(option_format(option, recipe, before), value) != 0)
            add(config, option->key, value);
    }
}
