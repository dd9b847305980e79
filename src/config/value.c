/* value: from text to its field of RunConfig, and back to text that reads the same. */
#include "value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/duration.h"
#include "lockstep/parse.h"
#include "lockstep/path.h"

static const char *const crash_hows[] = {
    "kill",        "segv",         "abort",        "exit",       "hang",          "hang-forward",
    "hang-bucket", "skip-bucket",  "short-bucket", "slow",       "nan",           "flip",
    "flip-slot",   "flip-running", "flip-ema",     "flip-state", "flip-schedule", "flip-sample",
    NULL};

_Static_assert(sizeof(OptimizerKind) == sizeof(int) && sizeof(DeviceChoice) == sizeof(int),
               "choices are stored as int");

/* Why a number was refused. */
static Status number_error(const Option *option, const char *text, ParseResult result,
                           const char *what) {
    if (result == PARSE_SYNTAX)
        return FAIL(ST_USAGE, "'%s' is not %s", text, what);
    return FAIL(ST_USAGE, "'%s' is out of bounds: %.15g to %.15g", text, option->min, option->max);
}

static Status set_int(const Option *option, const char *text, int64_t *field) {
    int64_t value = 0;
    ParseResult result = parse_int(text, &value);
    bool fits = (double)value >= option->min && (double)value <= option->max;
    if (result != PARSE_OK || !fits)
        return number_error(option, text, result, "a whole number");
    *field = value;
    return ST_OK;
}

/* What stands for "auto". */
static int64_t auto_value(const Option *option) {
    return option->type == OPTION_EVERY ? CHECKPOINT_EVERY_AUTO : 0;
}

static Status set_real(const Option *option, const char *text, double *field) {
    double value = 0;
    ParseResult result = parse_real(text, &value);
    if (result != PARSE_OK || value < option->min || value > option->max)
        return number_error(option, text, result, "a number");
    *field = value;
    return ST_OK;
}

/* "0.5", or "5/24". */
static Status set_position(const Option *option, const char *text, double *field) {
    const char *slash = strchr(text, '/');
    char above[OPTION_KEY_MAX];
    double whole = 0;
    if (slash == NULL)
        return set_real(option, text, field);
    snprintf(above, sizeof above, "%.*s", (int)(slash - text), text);
    TRY(set_real(option, above, field));
    TRY(set_real(option, slash + 1, &whole));
    if (!(whole > 0))
        return FAIL(ST_USAGE, "'%s' divides by 0", text);
    *field /= whole;
    return ST_OK;
}

static Status set_seed(const char *text, uint64_t *field) {
    ParseResult result = parse_uint(text, field);
    if (result == PARSE_SYNTAX)
        return FAIL(ST_USAGE, "'%s' is not a whole number from 0", text);
    if (result == PARSE_RANGE)
        return FAIL(ST_USAGE, "'%s' is out of bounds: 0 to %" PRIu64, text, UINT64_MAX);
    return ST_OK;
}

bool option_truth(const char *text, bool *value) {
    static const char *const words[][2] = {{"false", "true"}, {"False", "True"}, {"FALSE", "TRUE"},
                                           {"no", "yes"},     {"No", "Yes"},     {"NO", "YES"},
                                           {"off", "on"},     {"Off", "On"},     {"OFF", "ON"},
                                           {"n", "y"},        {"N", "Y"},        {"0", "1"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int truth = 0; truth < 2; truth++) {
            if (strcmp(words[i][truth], text) == 0) {
                *value = truth == 1;
                return true;
            }
        }
    }
    return false;
}

static Status set_bool(const char *text, bool *field) {
    return option_truth(text, field) ? ST_OK
                                     : FAIL(ST_USAGE, "'%s' is neither true nor false", text);
}

static int find_choice(const char *const *choices, const char *text) {
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0)
            return i;
    }
    return -1;
}

static Status set_choice(const char *text, const char *const *choices, int *field) {
    char list[OPTION_VALUE_MAX] = "";
    *field = find_choice(choices, text);
    if (*field >= 0)
        return ST_OK;
    for (int i = 0; choices[i]; i++) {
        size_t used = strlen(list);
        const char *before = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        snprintf(list + used, sizeof list - used, "%s%s", before, choices[i]);
    }
    return FAIL(ST_USAGE, "'%s' must be %s", text, list);
}

static Status set_text(const Option *option, const char *text, char *field) {
    if (strlen(text) >= option->size)
        return FAIL(ST_USAGE, "longer than %zu bytes", option->size - 1);
    strcpy(field, text);
    return ST_OK;
}

/* Cuts the next item off a list: up to `separator`; *at is NULL after the last. */
static Status next_item(const char **at, char separator, char item[OPTION_KEY_MAX]) {
    const char *end = strchr(*at, separator);
    size_t length = end ? (size_t)(end - *at) : strlen(*at);
    if (length >= OPTION_KEY_MAX)
        return FAIL(ST_USAGE, "'%.20s...' is too long for a number", *at);
    memcpy(item, *at, length);
    item[length] = '\0';
    *at = end != NULL ? end + 1 : NULL;
    return ST_OK;
}

/* How many fit the images is seen when there are any (fit.c). */
static Status check_channels(const char *text, int n) {
    if (n > IMAGE_CHANNELS_MAX)
        return FAIL(ST_USAGE, "'%s' has %d numbers: give one for each channel, at most %d", text, n,
                    IMAGE_CHANNELS_MAX);
    return ST_OK;
}

/* "auto", "0.5", or "0.5,0.4,0.3". */
static Status set_channels(const Option *option, const char *text,
                           float field[IMAGE_CHANNELS_MAX]) {
    const char *at = strcmp(text, "auto") == 0 ? NULL : text;
    int n = 0;
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++)
        field[c] = NAN;
    for (; at; n++) {
        char item[OPTION_KEY_MAX];
        double value = 0;
        TRY(next_item(&at, ',', item));
        TRY(set_real(option, item, &value));
        if (n < IMAGE_CHANNELS_MAX)
            field[n] = (float)value;
    }
    return check_channels(text, n);
}

/* "1,2.5,0.75", or nothing; kept as text. How many fit the data is seen when there are any. */
static Status set_reals(const Option *option, const char *text, char *field) {
    const char *at = text[0] != '\0' ? text : NULL;
    while (at) {
        char item[OPTION_KEY_MAX];
        double value = 0;
        TRY(next_item(&at, ',', item));
        TRY(set_real(option, item, &value));
    }
    return set_text(option, text, field);
}

/* "0.25,1". */
static Status set_range(const Option *option, const char *text, double field[2]) {
    const char *at = text;
    int n = 0;
    for (; at != NULL; n++) {
        char item[OPTION_KEY_MAX];
        double value = 0;
        TRY(next_item(&at, ',', item));
        TRY(set_real(option, item, &value));
        if (n < 2)
            field[n] = value;
    }
    if (n != 2 || field[0] > field[1])
        return FAIL(ST_USAGE, "'%s' must be two numbers, the smaller one first", text);
    return ST_OK;
}

/* "0,128,255", or "128" for all channels. */
static Status set_bytes(const Option *option, const char *text, int16_t field[IMAGE_CHANNELS_MAX]) {
    const char *at = text;
    int n = 0;
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++)
        field[c] = -1;
    for (; at != NULL; n++) {
        char item[OPTION_KEY_MAX];
        int64_t value = 0;
        TRY(next_item(&at, ',', item));
        TRY(set_int(option, item, &value));
        if (n < IMAGE_CHANNELS_MAX)
            field[n] = (int16_t)value;
    }
    return check_channels(text, n);
}

/* "30,60" or "0:0,5:1,24:0"; a point without a value has NaN. */
static Status set_points(const Option *option, const char *text, Schedule *schedule) {
    const char *at = *text == '\0' ? NULL : text;
    schedule->n_points = 0;
    while (at) {
        char item[OPTION_KEY_MAX];
        int n = schedule->n_points;
        TRY(next_item(&at, ',', item));
        if (n == SCHEDULE_POINTS_MAX)
            return FAIL(ST_USAGE, "more than %d points", SCHEDULE_POINTS_MAX);
        char *value = strchr(item, ':');
        schedule->point_value[n] = NAN;
        if (value) {
            *value++ = '\0';
            TRY(set_real(option, value, &schedule->point_value[n]));
        }
        TRY(set_position(option, item, &schedule->point_at[n]));
        schedule->n_points++;
    }
    return ST_OK;
}

/* Whether the option may be without a value. */
static bool may_be_none(const Option *option) {
    return strcmp(option->otherwise, "none") == 0;
}

static Status set_duration(const Option *option, const char *text, double *field) {
    char least[DURATION_TEXT_MAX], most[DURATION_TEXT_MAX];
    double value = 0;
    if (may_be_none(option) && strcmp(text, "none") == 0) {
        *field = 0;
        return ST_OK;
    }
    ParseResult result = duration_parse(text, &value);
    if (result == PARSE_SYNTAX)
        return FAIL(ST_USAGE,
                    "'%s' is no duration: give 3h50m or 90s, or 3:50:00 or 1-12:00:00 as Slurm "
                    "does (a number alone has no unit)",
                    text);
    if (result != PARSE_OK || value < option->min || value > option->max) {
        duration_text(option->min, least);
        duration_text(option->max, most);
        return FAIL(ST_USAGE, "'%s' is out of bounds: %s to %s", text, least, most);
    }
    *field = value;
    return ST_OK;
}

static void format_duration(const Option *option, double seconds, char out[OPTION_VALUE_MAX]) {
    if (may_be_none(option) && seconds == 0)
        strcpy(out, "none");
    else
        duration_text(seconds, out);
}

static Status set_trace(const char *text, TraceSteps *trace) {
    const Option bounds = {.min = 1, .max = 1e6}, place = {.min = 0, .max = 1e15};
    char item[OPTION_KEY_MAX];
    const char *at = text;
    *trace = (TraceSteps){.steps = 0, .first = -1};
    if (strcmp(text, "none") == 0)
        return ST_OK;
    TRY(next_item(&at, ':', item));
    TRY(set_int(&bounds, item, &trace->steps));
    return at ? set_int(&place, at, &trace->first) : ST_OK;
}

static Status set_crash(const char *text, CrashAt *crash) {
    const Option bounds = {.min = 0, .max = 1e15};
    char item[OPTION_KEY_MAX];
    const char *at = text;
    *crash = (CrashAt){.step = -1, .rank = -1, .how = CRASH_KILL};
    if (strcmp(text, "none") == 0)
        return ST_OK;
    TRY(next_item(&at, ':', item));
    TRY(set_int(&bounds, item, &crash->step));
    if (!at)
        return ST_OK;
    TRY(next_item(&at, ':', item));
    if (strcmp(item, "last") != 0)
        TRY(set_int(&bounds, item, &crash->rank));
    if (!at)
        return ST_OK;
    int how = 0;
    TRY(set_choice(at, crash_hows, &how));
    crash->how = (CrashHow)how;
    return ST_OK;
}

static Status set_crash_iteration(const char *text, CrashAt *crash) {
    const Option bounds = {.min = 0, .max = 1e15};
    *crash = (CrashAt){.rank = -1, .how = CRASH_KILL};
    return set_int(&bounds, text, &crash->step);
}

Status option_set(const Option *option, const char *text, RunConfig *config) {
    void *field = (char *)config + option->offset;
    switch (option->type) {
    case OPTION_BOOL:
    case OPTION_ACTION:
        return set_bool(text, field);
    case OPTION_AUTO:
    case OPTION_EVERY:
        if (strcmp(text, "auto") == 0) {
            *(int64_t *)field = auto_value(option);
            return ST_OK;
        }
        return set_int(option, text, field);
    case OPTION_INT:
        return set_int(option, text, field);
    case OPTION_SEED:
        return set_seed(text, field);
    case OPTION_REAL:
        return set_real(option, text, field);
    case OPTION_POSITION:
        return set_position(option, text, field);
    case OPTION_TEXT:
        return set_text(option, text, field);
    case OPTION_PATH:
        return path_expand(text, field, option->size);
    case OPTION_CHOICE: {
        int choice = 0;
        TRY(set_choice(text, option->choices, &choice));
        memcpy(field, &choice, sizeof choice);
        return ST_OK;
    }
    case OPTION_CHANNELS:
        return set_channels(option, text, field);
    case OPTION_REALS:
        return set_reals(option, text, field);
    case OPTION_RANGE:
        return set_range(option, text, field);
    case OPTION_BYTES:
        return set_bytes(option, text, field);
    case OPTION_POINTS:
        return set_points(option, text, field);
    case OPTION_DURATION:
        return set_duration(option, text, field);
    case OPTION_TRACE:
        return set_trace(text, field);
    case OPTION_CRASH:
        return set_crash(text, field);
    case OPTION_CRASH_ITERATION:
        return set_crash_iteration(text, field);
    }
    return FAIL(ST_INTERNAL, "option %s has no type", option->key);
}

/* Appends a decimal, of as few digits as %g would show or more, that reads back to the same double
 * (or, if `single`, float). */
static void append_real(char out[OPTION_VALUE_MAX], double value, bool single) {
    size_t used = strlen(out);
    char *at = out + used;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(at, OPTION_VALUE_MAX - used, "%.*g", digits, value);
        double back = strtod(at, NULL);
        if (single ? (float)back == (float)value : back == value)
            return;
    }
}

static void format_points(const Schedule *schedule, char out[OPTION_VALUE_MAX]) {
    for (int i = 0; i < schedule->n_points; i++) {
        if (i > 0)
            strcat(out, ",");
        append_real(out, schedule->point_at[i], false);
        if (!isnan(schedule->point_value[i])) {
            strcat(out, ":");
            append_real(out, schedule->point_value[i], false);
        }
    }
}

static void format_channels(const float value[IMAGE_CHANNELS_MAX], char out[OPTION_VALUE_MAX]) {
    if (isnan(value[0]))
        strcpy(out, "auto");
    for (int c = 0; c < IMAGE_CHANNELS_MAX && !isnan(value[c]); c++) {
        if (c > 0)
            strcat(out, ",");
        append_real(out, value[c], true);
    }
}

/* One number, where all are the same. */
static void format_bytes(const int16_t value[IMAGE_CHANNELS_MAX], char out[OPTION_VALUE_MAX]) {
    int n = 1;
    bool one = true;
    for (; n < IMAGE_CHANNELS_MAX && value[n] >= 0; n++)
        one = one && value[n] == value[0];
    for (int c = 0; c < (one ? 1 : n); c++)
        snprintf(out + strlen(out), OPTION_VALUE_MAX - strlen(out), "%s%d", c > 0 ? "," : "",
                 value[c]);
}

static void format_crash(const CrashAt *crash, char out[OPTION_VALUE_MAX]) {
    char rank[24] = "last";
    if (crash->rank >= 0)
        snprintf(rank, sizeof rank, "%" PRId64, crash->rank);
    if (crash->step < 0)
        strcpy(out, "none");
    else
        snprintf(out, OPTION_VALUE_MAX, "%" PRId64 ":%s:%s", crash->step, rank,
                 crash_hows[crash->how]);
}

static void format_trace(const TraceSteps *trace, char out[OPTION_VALUE_MAX]) {
    if (trace->steps == 0)
        strcpy(out, "none");
    else if (trace->first < 0)
        snprintf(out, OPTION_VALUE_MAX, "%" PRId64, trace->steps);
    else
        snprintf(out, OPTION_VALUE_MAX, "%" PRId64 ":%" PRId64, trace->steps, trace->first);
}

const char *option_format(const Option *option, const RunConfig *config,
                          char buffer[OPTION_VALUE_MAX]) {
    const void *field = (const char *)config + option->offset;
    buffer[0] = '\0';
    switch (option->type) {
    case OPTION_BOOL:
    case OPTION_ACTION:
        strcpy(buffer, *(const bool *)field ? "true" : "false");
        break;
    case OPTION_AUTO:
    case OPTION_EVERY:
        if (*(const int64_t *)field == auto_value(option)) {
            strcpy(buffer, "auto");
            break;
        }
        /* fall through */
    case OPTION_INT:
        snprintf(buffer, OPTION_VALUE_MAX, "%" PRId64, *(const int64_t *)field);
        break;
    case OPTION_SEED:
        snprintf(buffer, OPTION_VALUE_MAX, "%" PRIu64, *(const uint64_t *)field);
        break;
    case OPTION_REAL:
    case OPTION_POSITION:
        append_real(buffer, *(const double *)field, false);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_REALS:
        return field;
    case OPTION_CHOICE: {
        int choice = 0;
        memcpy(&choice, field, sizeof choice);
        strcpy(buffer, option->choices[choice]);
        break;
    }
    case OPTION_CHANNELS:
        format_channels(field, buffer);
        break;
    case OPTION_RANGE:
        append_real(buffer, ((const double *)field)[0], false);
        strcat(buffer, ",");
        append_real(buffer, ((const double *)field)[1], false);
        break;
    case OPTION_BYTES:
        format_bytes(field, buffer);
        break;
    case OPTION_POINTS:
        format_points(field, buffer);
        break;
    case OPTION_DURATION:
        format_duration(option, *(const double *)field, buffer);
        break;
    case OPTION_TRACE:
        format_trace(field, buffer);
        break;
    case OPTION_CRASH:
    case OPTION_CRASH_ITERATION:
        format_crash(field, buffer);
        break;
    }
    return buffer;
}
