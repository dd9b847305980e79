/* The text of groups, line by line. See param_group.h. */
#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/param_group.h"
#include "lockstep/parse.h"

typedef enum KeyType { KEY_REAL, KEY_WHOLE, KEY_FLAG, KEY_WORD, KEY_POINTS } KeyType;

typedef struct GroupKey {
    const char *key;
    KeyType type;
    size_t offset; /* in ParamGroup, of a double, an int64_t, a bool or an enum */
    double min, max;
    const char *const *words; /* of KEY_WORD */
} GroupKey;

#define OF(field) offsetof(ParamGroup, field)

/* Bounds as those of the options of these names. */
static const GroupKey keys[] = {
    {"optimizer", KEY_WORD, OF(optimizer.kind), 0, 0, optimizer_names},
    {"lr", KEY_REAL, OF(lr), 0, 1e6, NULL},
    {"lr-factor", KEY_REAL, OF(lr_factor), 0, 1e6, NULL},
    {"points", KEY_POINTS, 0, 0, 1e15, NULL},
    {"unit", KEY_WORD, OF(unit), 0, 0, schedule_unit_names},
    {"momentum", KEY_REAL, OF(optimizer.momentum), 0, 0.9999999, NULL},
    {"nesterov", KEY_FLAG, OF(optimizer.nesterov), 0, 1, NULL},
    {"beta1", KEY_REAL, OF(optimizer.beta1), 0, 0.9999999, NULL},
    {"beta2", KEY_REAL, OF(optimizer.beta2), 0, 0.9999999, NULL},
    {"alpha", KEY_REAL, OF(optimizer.alpha), 0, 0.9999999, NULL},
    {"centered", KEY_FLAG, OF(optimizer.centered), 0, 1, NULL},
    {"trust-coefficient", KEY_REAL, OF(optimizer.trust_coefficient), 1e-9, 1e3, NULL},
    {"eps", KEY_REAL, OF(optimizer.eps), 0, 1, NULL},
    {"weight-decay", KEY_REAL, OF(optimizer.weight_decay), 0, 1e6, NULL},
    {"muon-steps", KEY_WHOLE, OF(optimizer.muon_steps), 1, 20, NULL},
    {"muon-rescale", KEY_FLAG, OF(optimizer.muon_rescale), 0, 1, NULL},
    {"frozen", KEY_FLAG, OF(frozen), 0, 1, NULL},
    {"frozen-after", KEY_REAL, OF(frozen_after), 0, 1e9, NULL},
};
enum { KEYS = sizeof keys / sizeof keys[0] };

typedef struct Reader {
    const char *source;
    int line;         /* of the source */
    uint64_t given;   /* bit k: keys[k] */
    double lr;        /* the run's */
    const char *last; /* word that is being read */
} Reader;

#define FAIL_HERE(reader, format, ...)                                                             \
    FAIL(ST_USAGE, "%s:%d: " format, (reader)->source, (reader)->line, ##__VA_ARGS__)

static bool is_given(const Reader *reader, const char *key) {
    for (int k = 0; k < KEYS; k++)
        if (strcmp(keys[k].key, key) == 0)
            return (reader->given >> k & 1) != 0;
    return false;
}

static Status unknown_key(const Reader *reader, const char *word) {
    const char *names[KEYS + 1] = {NULL};
    char list[256] = "";
    for (int k = 0; k < KEYS; k++) {
        size_t used = strlen(list);
        names[k] = keys[k].key;
        snprintf(list + used, sizeof list - used, "%s%s", k == 0 ? "" : ", ", names[k]);
    }
    const char *near = nearest_name(word, names);
    return near ? FAIL_HERE(reader, "a group has no key '%s'; did you mean '%s'?", word, near)
                : FAIL_HERE(reader, "a group has no key '%s'; there are %s", word, list);
}

static Status read_real(const Reader *reader, const GroupKey *key, const char *text,
                        double *value) {
    ParseResult result = parse_real(text, value);
    if (result == PARSE_SYNTAX)
        return FAIL_HERE(reader, "%s: '%s' is not a number", key->key, text);
    if (result != PARSE_OK || *value < key->min || *value > key->max)
        return FAIL_HERE(reader, "%s: '%s' is out of bounds: %.15g to %.15g", key->key, text,
                         key->min, key->max);
    return ST_OK;
}

/* "0.5", or "5/24". */
static Status read_position(const Reader *reader, const GroupKey *key, char *text, double *at) {
    char *slash = strchr(text, '/');
    double whole = 1;
    if (slash) {
        *slash = '\0';
        TRY(read_real(reader, key, slash + 1, &whole));
        if (!(whole > 0))
            return FAIL_HERE(reader, "points: '%s/%s' divides by 0", text, slash + 1);
    }
    TRY(read_real(reader, key, text, at));
    *at /= whole;
    return ST_OK;
}

/* "0:1,3:0" */
static Status read_points(const Reader *reader, const GroupKey *key, char *text,
                          ParamGroup *group) {
    char *rest = NULL;
    group->n_points = 0;
    for (char *item = strtok_r(text, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        int n = group->n_points;
        char *value = strchr(item, ':');
        if (n == SCHEDULE_POINTS_MAX)
            return FAIL_HERE(reader, "points: more than %d", SCHEDULE_POINTS_MAX);
        if (!value)
            return FAIL_HERE(reader, "points: '%s' is no pair of position and value, as 0:1,3:0",
                             item);
        *value++ = '\0';
        TRY(read_position(reader, key, item, &group->point_at[n]));
        TRY(read_real(reader, key, value, &group->point_value[n]));
        if (n > 0 && group->point_at[n] <= group->point_at[n - 1])
            return FAIL_HERE(reader, "points: %g must be larger than %g before it",
                             group->point_at[n], group->point_at[n - 1]);
        group->n_points++;
    }
    return group->n_points > 0 ? ST_OK
                               : FAIL_HERE(reader, "points wants pairs of position and value, as "
                                                   "0:1,3:0");
}

static Status read_word(const Reader *reader, const GroupKey *key, const char *text, int *field) {
    char list[128] = "";
    for (int i = 0; key->words[i]; i++) {
        size_t used = strlen(list);
        if (strcmp(key->words[i], text) == 0) {
            *field = i;
            return ST_OK;
        }
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0              ? ""
                 : key->words[i + 1] ? ", "
                                     : " or ",
                 key->words[i]);
    }
    return FAIL_HERE(reader, "%s: '%s' must be %s", key->key, text, list);
}

/* "key=value", or a bare "key" for a flag. */
static Status read_key(Reader *reader, char *word, ParamGroup *group) {
    char *value = strchr(word, '=');
    int k = 0;
    if (value)
        *value++ = '\0';
    while (k < KEYS && strcmp(keys[k].key, word) != 0)
        k++;
    if (k == KEYS)
        return unknown_key(reader, word);
    const GroupKey *key = &keys[k];
    void *field = (char *)group + key->offset;
    if ((reader->given >> k & 1) != 0)
        return FAIL_HERE(reader, "'%s' is given twice", word);
    reader->given |= UINT64_C(1) << k;
    if (!value && key->type != KEY_FLAG)
        return FAIL_HERE(reader, "'%s' wants a value: %s=...", word, word);
    switch (key->type) {
    case KEY_REAL:
        return read_real(reader, key, value, field);
    case KEY_WHOLE: {
        double whole = 0;
        TRY(read_real(reader, key, value, &whole));
        if (whole != floor(whole))
            return FAIL_HERE(reader, "%s: '%s' is not a whole number", word, value);
        *(int64_t *)field = (int64_t)whole;
        return ST_OK;
    }
    case KEY_POINTS:
        return read_points(reader, key, value, group);
    case KEY_WORD: {
        int choice = 0;
        TRY(read_word(reader, key, value, &choice));
        memcpy(field, &choice, sizeof choice);
        return ST_OK;
    }
    case KEY_FLAG:
        if (value && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
            return FAIL_HERE(reader, "%s: '%s' is neither 0 nor 1", word, value);
        *(bool *)field = !value || value[0] == '1';
        return ST_OK;
    }
    return ST_OK;
}

/* What can only be said of several keys together. */
static Status check_group(const Reader *reader, ParamGroup *group) {
    Optimizer *optimizer = &group->optimizer;
    uint64_t others = reader->given & (reader->given - 1);
    if (group->frozen && others != 0)
        return FAIL_HERE(reader, "what is frozen is not optimized: no other key goes with it; "
                                 "frozen-after=EPOCHS trains until then");
    if (is_given(reader, "frozen-after") && !(group->frozen_after > 0))
        return FAIL_HERE(reader, "frozen-after=0 would never train: write frozen");
    if (is_given(reader, "lr") && is_given(reader, "lr-factor"))
        return FAIL_HERE(reader, "lr and lr-factor say the same thing: give one of them");
    if (is_given(reader, "lr") && !(group->lr > 0))
        return FAIL_HERE(reader, "lr must be above 0; lr-factor=0 or frozen train nothing");
    if (is_given(reader, "lr") && !(reader->lr > 0))
        return FAIL_HERE(reader, "lr is a share of optimizer.lr, which is 0: give that too");
    if (is_given(reader, "unit") && group->n_points == 0)
        return FAIL_HERE(reader, "unit is of points, of which there are none");
    if (group->unit == SCHEDULE_SHARE && group->n_points > 0 &&
        group->point_at[group->n_points - 1] > 1)
        return FAIL_HERE(reader,
                         "points: %g is more than the whole run: shares are 0 to 1; for "
                         "epochs give unit=epochs",
                         group->point_at[group->n_points - 1]);
    if (optimizer->momentum == 0 && !is_given(reader, "nesterov")) /* but the run's */
        optimizer->nesterov = false;
    if (optimizer_is_nesterov(optimizer) && optimizer->momentum == 0)
        return FAIL_HERE(reader, "nesterov wants momentum above 0");
    group->decays = is_given(reader, "weight-decay");
    return ST_OK;
}

static Status read_line(Reader *reader, char *line, ParamGroup *group) {
    char *rest = NULL;
    size_t used = 0;
    for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        used += (size_t)snprintf(group->text + used, sizeof group->text - used, "%s%s",
                                 used > 0 ? " " : "", word);
        if (group->pattern[0] == '\0')
            snprintf(group->pattern, sizeof group->pattern, "%s", word);
        else
            TRY(read_key(reader, word, group));
    }
    if (reader->given == 0)
        return FAIL_HERE(reader,
                         "the group '%s' is as the rest: say behind the pattern what is "
                         "not, as in '%s lr-factor=2'",
                         group->pattern, group->pattern);
    return check_group(reader, group);
}

/* One line of the text: nothing, or a group. */
static Status add_line(Reader *reader, const char *at, size_t length, int number,
                       ParamGroups *groups) {
    char line[GROUP_LINE_MAX];
    if (strspn(at, " \t\r") >= length)
        return ST_OK;
    if (length >= sizeof line)
        return FAIL_HERE(reader, "the line has more than %d characters", GROUP_LINE_MAX - 1);
    memcpy(line, at, length);
    line[length] = '\0';
    for (const char *c = line; *c != '\0'; c++)
        if (!isprint((unsigned char)*c) && !isspace((unsigned char)*c))
            return FAIL_HERE(reader, "byte 0x%02x is not text", (unsigned char)*c);
    if (groups->n == GROUPS_MAX)
        return FAIL_HERE(reader, "more than %d groups", GROUPS_MAX);
    ParamGroup *group = &groups->group[groups->n];
    groups->group[groups->n + 1] = *group; /* the rest moves on */
    group->line = number;
    groups->n++;
    reader->given = 0;
    return read_line(reader, line, group);
}

Status param_groups_parse(const char *text, const char *source, int first_line,
                          const Optimizer *optimizer, const Schedule *schedule,
                          ParamGroups *groups) {
    Reader reader = {.source = source, .lr = schedule->lr};
    memset(groups, 0, sizeof *groups);
    groups->group[0] =
        (ParamGroup){.optimizer = *optimizer, .lr_factor = 1, .unit = schedule->unit};
    for (int number = 1;; number++) {
        size_t length = strcspn(text, "#\n");
        reader.line = first_line + number - 1;
        TRY(add_line(&reader, text, length, number, groups));
        text += strcspn(text, "\n");
        if (*text == '\0')
            return ST_OK;
        text++;
    }
}
