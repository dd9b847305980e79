/* yaml_read: YAML as pairs of key and value. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_YAML_READ_H
#define LOCKSTEP_CONFIG_YAML_READ_H

#include "options.h"

/* `list`: the value was a list, now joined as option_set wants it. `text_line`: the line where the
 * value's text begins. */
typedef struct YamlPair {
    char key[OPTION_KEY_MAX]; /* nested keys joined by dots */
    const char *value;
    bool list;
    int line, text_line;
} YamlPair;

typedef Status (*YamlPairFn)(void *context, const YamlPair *pair);

/* Reads YAML from memory and calls `each` for every value in it. ST_USAGE naming source and line.
 */
Status yaml_read(const char *text, size_t length, const char *source, YamlPairFn each,
                 void *context);

#endif
