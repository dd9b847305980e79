/* settings: see settings.h. */
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "lockstep/hash.h"

/* A model, or groups, are told by their size and the first digits of a hash: whole they fill no
 * cell of a table. */
static void model_words(const char *text, char words[SETTING_MAX]) {
    char hex[17];
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    hash_hex(hash_bytes(text, strlen(text)), hex);
    snprintf(words, SETTING_MAX, "%d lines (%.6s)", lines, hex);
}

static void add(void *context, const char *key, const char *value) {
    Settings *settings = context;
    if (settings->n == SETTINGS_MAX)
        return;
    Setting *setting = &settings->setting[settings->n++];
    snprintf(setting->key, sizeof setting->key, "%s", key);
    if (strcmp(key, "model") == 0 || strchr(value, '\n'))
        model_words(value, setting->value);
    else
        snprintf(setting->value, sizeof setting->value, "%.*s", SETTING_MAX - 1, value);
}

void settings_read(const RunConfig *config, Settings *settings) {
    settings->n = 0;
    config_each(config, add, settings);
}

bool settings_differ(const Settings *settings, int n, int i) {
    for (int run = 1; run < n; run++) {
        if (strcmp(settings[run].setting[i].value, settings[0].setting[i].value) != 0)
            return true;
    }
    return false;
}

bool settings_same_but_seed(const Settings *a, const Settings *b) {
    for (int i = 0; i < a->n; i++) {
        if (strcmp(a->setting[i].key, "seed") != 0 &&
            strcmp(a->setting[i].value, b->setting[i].value) != 0)
            return false;
    }
    return true;
}
