/* Where values come from: defaults, the file, the environment, flags; each over the one before. */
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "lockstep/file.h"
#include "lockstep/parse.h"
#include "options.h"
#include "place.h"
#include "value.h"
#include "yaml_read.h"

enum { FILE_MAX_BYTES = 1 << 20, RECIPES_MAX = 64, NAME_MAX_BYTES = 256 };

extern char **environ;

/* ---- file ---- */

typedef struct FileReader {
    const char *source;
    RunConfig *config;
} FileReader;

static Status unknown_key(const char *source, const YamlPair *pair) {
    char near[OPTION_KEY_MAX] = "";
    bool found = option_nearest_key(pair->key, near);
    return FAIL(ST_USAGE, "%s:%d: unknown %s '%s'%s%s%s", source, pair->line,
                pair->kind == YAML_GROUP ? "group" : "key", pair->key,
                found ? "; did you mean '" : ": see lockstep train --help", near,
                found ? "'?" : "");
}

static Status set_pair(void *context, const YamlPair *pair) {
    FileReader *reader = context;
    const Option *option = option_find(pair->key, false);
    if (!option && option_is_group(pair->key)) {
        if (pair->kind == YAML_GROUP)
            return ST_OK;
        return FAIL(ST_USAGE, "%s:%d: '%s' is a group: its keys stand below it, indented",
                    reader->source, pair->line, pair->key);
    }
    if (!option)
        return unknown_key(reader->source, pair);
    if (option->type == OPTION_ACTION) {
        return FAIL(ST_USAGE, "%s:%d: '%s' is for the command line alone: --%s", reader->source,
                    pair->line, pair->key, pair->key);
    }
    if (pair->kind == YAML_NOTHING)
        return FAIL(ST_USAGE, "%s:%d: '%s' has no value: give one, or leave the line out",
                    reader->source, pair->line, pair->key);
    if (pair->kind == YAML_GROUP || (pair->kind == YAML_LIST && !option_takes_list(option))) {
        return FAIL(ST_USAGE, "%s:%d: '%s' takes one value, not a %s", reader->source, pair->line,
                    pair->key, pair->kind == YAML_GROUP ? "group of keys" : "list");
    }
    Status status = option_set(option, pair->value, reader->config);
    if (status != ST_OK)
        status_prefix("%s:%d: %s", reader->source, pair->line, pair->key);
    else if (option->offset == offsetof(RunConfig, model))
        reader->config->model_line = pair->text_line;
    else if (option->offset == offsetof(RunConfig, groups))
        reader->config->groups_line = pair->text_line;
    return status;
}

Status config_read_yaml(const char *text, size_t length, const char *source, RunConfig *config) {
    FileReader reader = {source, config};
    return yaml_read(text, length, source, set_pair, &reader);
}

static bool is_recipe(const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

/* The recipe in `folder` whose name is nearest to `wanted`, as "; did you mean 'FOLDER/NAME'?", or
 * nothing. */
static void suggest_recipe(const char *folder, const char *wanted, char out[NAME_MAX_BYTES]) {
    static const char suffix[] = ".yaml";
    char names[RECIPES_MAX][NAME_MAX_BYTES];
    const char *list[RECIPES_MAX + 1];
    int n = 0;
    DIR *dir = opendir(folder);
    out[0] = '\0';
    if (!dir)
        return;
    for (struct dirent *entry; n < RECIPES_MAX && (entry = readdir(dir));) {
        if (is_recipe(entry->d_name)) {
            size_t stem = strlen(entry->d_name) - (sizeof suffix - 1);
            snprintf(names[n], sizeof names[n], "%.*s", (int)stem, entry->d_name);
            list[n] = names[n];
            n++;
        }
    }
    closedir(dir);
    list[n] = NULL;
    char stem[NAME_MAX_BYTES];
    snprintf(stem, sizeof stem, "%s", wanted);
    if (is_recipe(stem))
        stem[strlen(stem) - (sizeof suffix - 1)] = '\0';
    const char *near = nearest_name(stem, list);
    if (near && strlen(folder) + strlen(near) + 32 < NAME_MAX_BYTES)
        snprintf(out, NAME_MAX_BYTES, "; did you mean %.100s/%.100s.yaml?", folder, near);
}

static Status no_such_file(const char *path, int error) {
    char suggestion[NAME_MAX_BYTES] = "";
    char folder[CONFIG_PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 0, path);
    if (slash && slash != path)
        suggest_recipe(folder, base, suggestion);
    if (suggestion[0] == '\0')
        suggest_recipe("configs", base, suggestion);
    return FAIL(ST_USAGE, "%s: cannot read the configuration: %s%s", path, file_cause(error),
                suggestion);
}

/* The whole file into *text, which the caller frees. */
static Status read_file(const char *path, char **text, size_t *length) {
    Status status = ST_OK;
    *text = NULL;
    errno = 0;
    FILE *file = file_open_stream(path);
    if (!file)
        return no_such_file(path, errno);
    char *bytes = malloc(FILE_MAX_BYTES + 1);
    if (!bytes)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    *length = fread(bytes, 1, FILE_MAX_BYTES + 1, file);
    if (ferror(file))
        TRY_DONE(no_such_file(path, errno));
    if (*length > FILE_MAX_BYTES)
        TRY_DONE(
            FAIL(ST_USAGE, "%s: larger than %d bytes: not a configuration", path, FILE_MAX_BYTES));
    *text = bytes;
done:
    fclose(file);
    if (status != ST_OK)
        free(bytes);
    return status;
}

static Status load_file(RunConfig *config, const char *path) {
    char *text = NULL;
    size_t length = 0;
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t stem = strlen(base) - (is_recipe(base) ? strlen(".yaml") : 0);
    if (strlen(path) >= sizeof config->file || stem >= sizeof config->name)
        return FAIL(ST_USAGE, "%.200s...: the name is too long", path);
    strcpy(config->file, path);
    snprintf(config->name, sizeof config->name, "%.*s", (int)stem, base);
    TRY(read_file(path, &text, &length));
    Status status = config_read_yaml(text, length, path, config);
    free(text);
    return status;
}

/* ---- environment ---- */

static Status unknown_variable(const char *name) {
    const size_t prefix = strlen("LOCKSTEP_"); /* does not count as likeness */
    char known[OPTIONS_MAX][OPTION_KEY_MAX];
    const char *names[OPTIONS_MAX + 1];
    int n = 0;
    for (const Option *option = config_options; option->key; option++, n++) {
        option_variable(option, known[n]);
        names[n] = known[n] + prefix;
    }
    names[n] = NULL;
    const char *near = nearest_name(name + prefix, names);
    return FAIL(ST_USAGE, "the environment variable %s is no option%s%s%s", name,
                near ? "; did you mean LOCKSTEP_" : ": unset it", near ? near : "",
                near ? "?" : "");
}

static Status set_variable(const char *name, const char *value, RunConfig *config) {
    for (const Option *option = config_options; option->key; option++) {
        char variable[OPTION_KEY_MAX];
        option_variable(option, variable);
        if (strcmp(variable, name) != 0)
            continue;
        if (option->type == OPTION_ACTION || (option->flags & OPTION_FILE_ONLY) != 0) {
            return FAIL(ST_USAGE, "%s: '%s' cannot be set by the environment: unset it", name,
                        option->key);
        }
        Status status = option_set(option, value, config);
        if (status != ST_OK)
            status_prefix("environment variable %s", name);
        return status;
    }
    return unknown_variable(name);
}

static Status load_environment(RunConfig *config) {
    for (char **entry = environ; *entry; entry++) {
        char name[NAME_MAX_BYTES];
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, "LOCKSTEP_", strlen("LOCKSTEP_")) != 0 || !equals)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - *entry), *entry);
        TRY(set_variable(name, equals + 1, config));
    }
    return ST_OK;
}

/* ---- flags ---- */

static Status unknown_flag(const char *name) {
    const char *near = option_nearest_flag(name);
    return FAIL(ST_USAGE, "unknown option --%s%s%s%s", name,
                near ? "; did you mean --" : ": see lockstep train --help", near ? near : "",
                near ? "?" : "");
}

/* One argument "--..." at argv[*i]; moves *i over a value of its own. config NULL: only that. */
static Status read_flag(int argc, char **argv, int *i, RunConfig *config) {
    char name[NAME_MAX_BYTES];
    const char *flag = argv[*i] + 2;
    const char *value = strchr(flag, '=');
    size_t length = value ? (size_t)(value - flag) : strlen(flag);
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : (int)sizeof name - 1,
             flag);
    value = value ? value + 1 : NULL;
    const Option *option = option_find(name, true);
    if (!option && strncmp(name, "no-", 3) == 0 && !value) {
        option = option_find(name + 3, true);
        if (option && option->type != OPTION_BOOL)
            option = NULL;
        value = "false";
    }
    if (!option)
        return unknown_flag(name);
    bool is_bool = option->type == OPTION_BOOL || option->type == OPTION_ACTION;
    bool truth;
    bool word_follows =
        option->type == OPTION_BOOL && *i + 1 < argc && option_truth(argv[*i + 1], &truth);
    if (!value && is_bool && !word_follows) {
        value = "true";
    } else if (!value) {
        if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
            return FAIL(ST_USAGE, "--%s wants a value: --%s %s", name, name, option->value);
        value = argv[++*i];
    }
    if ((option->flags & OPTION_FILE_ONLY) != 0)
        return FAIL(ST_USAGE, "--%s: '%s' stands in the configuration file alone", name,
                    option->key);
    if (!config)
        return ST_OK;
    Status status = option_set(option, value, config);
    if (status != ST_OK)
        status_prefix("--%s", name);
    return status;
}

/* Finds the one argument that is no flag. */
static Status find_file(int argc, char **argv, const char **file) {
    *file = NULL;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0') {
            TRY(read_flag(argc, argv, &i, NULL));
        } else if (argv[i][0] == '-' && strcmp(argv[i], "-h") != 0) {
            return FAIL(ST_USAGE, "unknown option %s: options begin with two dashes", argv[i]);
        } else if (argv[i][0] != '-') {
            if (*file)
                return FAIL(ST_USAGE, "two configuration files: %s and %s; give one", *file,
                            argv[i]);
            *file = argv[i];
        }
    }
    return ST_OK;
}

static Status load_flags(int argc, char **argv, RunConfig *config) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0)
            config->help = true;
        else if (argv[i][0] == '-')
            TRY(read_flag(argc, argv, &i, config));
    }
    return ST_OK;
}

static bool asks_help(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

/* All fields to their defaults. */
static Status set_defaults(RunConfig *config) {
    memset(config, 0, sizeof *config);
    for (const Option *option = config_options; option->key; option++) {
        if (option->otherwise)
            TRY(option_set(option, option->otherwise, config));
    }
    return ST_OK;
}

/* What is said over the file, and a note of it. */
static Status load_over(int argc, char **argv, RunConfig *config) {
    RunConfig *recipe = malloc(sizeof *recipe);
    TRY_ALLOC(recipe);
    *recipe = *config;
    Status status = load_environment(config);
    if (status == ST_OK)
        status = load_flags(argc, argv, config);
    if (status == ST_OK)
        config_note_changes(recipe, config);
    free(recipe);
    return status;
}

Status config_load(int argc, char **argv, RunConfig *config) {
    const char *file = NULL;
    TRY(set_defaults(config));
    if (asks_help(argc, argv)) {
        config->help = true;
        return ST_OK;
    }
    TRY(find_file(argc, argv, &file));
    if (file)
        TRY(load_file(config, file));
    TRY(load_over(argc, argv, config));
    TRY(config_check(config));
    return config_place(config);
}

Status config_from_text(const char *text, const char *source, RunConfig *config) {
    TRY(set_defaults(config));
    snprintf(config->file, sizeof config->file, "%s", source);
    return config_read_yaml(text, strlen(text), source, config);
}
