/* yaml_read: YAML as pairs of key and value. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_YAML_READ_H
#define LOCKSTEP_CONFIG_YAML_READ_H

#include "options.h"

/* What stands behind a key. */
typedef enum YamlKind {
    YAML_VALUE,
    YAML_NOTHING, /* no value: empty, ~ or null, without quotes */
    YAML_LIST,    /* its items joined as option_set wants them */
    YAML_GROUP    /* keys of its own, which follow */
} YamlKind;

/* `text_line`: the line where the value's text begins. */
typedef struct YamlPair {
    char key[OPTION_KEY_MAX]; /* nested keys joined by dots */
    YamlKind kind;
    const char *value; /* NULL for a group */
    int line, text_line;
} YamlPair;

typedef Status (*YamlPairFn)(void *context, const YamlPair *pair);

/* Reads YAML from memory and calls `each` for every key in it. ST_USAGE naming source and line. */
Status yaml_read(const char *text, size_t length, const char *source, YamlPairFn each,
                 void *context);

/* Whether YAML reads these words, without quotes, as no value. */
bool yaml_is_nothing(const char *text);

#endif
