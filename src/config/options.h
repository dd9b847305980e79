/* options: the table of options. Private to src/config. Local. */
#ifndef LOCKSTEP_CONFIG_OPTIONS_H
#define LOCKSTEP_CONFIG_OPTIONS_H

#include <stddef.h>

#include "lockstep/config.h"

typedef enum OptionType {
    OPTION_BOOL,            /* bool */
    OPTION_INT,             /* int64_t */
    OPTION_AUTO,            /* int64_t; "auto" is 0 */
    OPTION_EVERY,           /* int64_t; "auto" is CHECKPOINT_EVERY_AUTO */
    OPTION_SEED,            /* uint64_t */
    OPTION_REAL,            /* double */
    OPTION_POSITION,        /* double; may be written as a fraction, 5/24 */
    OPTION_TEXT,            /* char[size] */
    OPTION_PATH,            /* char[size]: ~ and variables in it are expanded */
    OPTION_CHOICE,          /* an enum: index into choices */
    OPTION_CHANNELS,        /* float[4]: list of one to four reals, the rest NaN; auto: all */
    OPTION_REALS,           /* char[size]: text of a list of reals; "": none */
    OPTION_RANGE,           /* double[2]: the smaller and the larger of two reals */
    OPTION_BYTES,           /* int16_t[4]: list of one to four whole numbers, the rest -1 */
    OPTION_POINTS,          /* of Schedule: list of positions, or of [position, value] pairs */
    OPTION_DURATION,        /* double, seconds; "none" is 0 where that is the default */
    OPTION_TRACE,           /* TraceSteps: none or STEPS[:FIRST] */
    OPTION_CRASH,           /* CrashAt: none or STEP[:RANK[:HOW]] */
    OPTION_CRASH_ITERATION, /* CrashAt: STEP */
    OPTION_ACTION           /* bool: a bare flag that cannot stand in file or environment */
} OptionType;

enum {
    OPTION_FIXED = 1,    /* must not change at resume */
    OPTION_UNSTORED = 2, /* not a property of the run: neither stored nor compared */
    OPTION_FILE_ONLY = 4,
    OPTION_ALIAS = 8 /* another option's field in another form: never written */
};

typedef struct Option {
    const char *key;        /* in YAML (dots nest), as --KEY, and as LOCKSTEP_KEY */
    const char *short_flag; /* a second flag, or NULL */
    const char *value;      /* what stands for the value in --help, NULL for flags */
    OptionType type;
    size_t offset, size; /* of the field in RunConfig */
    double min, max;     /* inclusive; numbers alone */
    const char *otherwise;
    const char *const *choices; /* NULL-ended */
    unsigned flags;
    const char *help;
} Option;

/* Ended by key NULL; options of one group (before the dot) stand together. */
extern const Option config_options[];

enum { OPTION_KEY_MAX = 64, OPTIONS_MAX = 160 };

/* The option of that key, or, with `flags` true, of that key or short flag; NULL if none. */
const Option *option_find(const char *name, bool flags);

/* The known flag nearest to `name`, or NULL. */
const char *option_nearest_flag(const char *name);

/* The known key or group nearest to `name`, a short flag's key among them; false if none is near.
 */
bool option_nearest_key(const char *name, char near[OPTION_KEY_MAX]);

/* Whether `key` is the part before the dot of some options. */
bool option_is_group(const char *key);

/* Whether its value may be a YAML list. */
bool option_takes_list(const Option *option);

/* LOCKSTEP_OPTIMIZER_LR for optimizer.lr. */
void option_variable(const Option *option, char name[OPTION_KEY_MAX]);

#endif
