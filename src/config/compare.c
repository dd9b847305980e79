/* Configurations side by side: what must not change at resume, the stored text of a checkpoint
 * against the configuration of now; and each option of one, for who compares runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "value.h"

enum { SHOWN_MAX = 60 };

/* The next line of model text, or of groups, that says something: without comment and blanks around
 * it. False at the end. */
static bool next_line(const char **at, const char **line, int *length) {
    while (**at != '\0') {
        const char *begin = *at;
        const char *newline = begin + strcspn(begin, "\n");
        const char *end = begin + strcspn(begin, "#\n");
        *at = *newline != '\0' ? newline + 1 : newline;
        begin += strspn(begin, " \t\r");
        while (end > begin && strchr(" \t\r", end[-1]))
            end--;
        if (end > begin) {
            *line = begin;
            *length = (int)(end - begin);
            return true;
        }
    }
    return false;
}

/* Finds the first line in which two texts differ, comments and blank lines apart; `there` and
 * `here` get it, "(its end)" where one stops. True where they differ. */
static bool text_differs(const char *old, const char *now, char there[SHOWN_MAX],
                         char here[SHOWN_MAX]) {
    for (;;) {
        const char *a = "(its end)", *b = a;
        int length_a = (int)strlen(a), length_b = length_a;
        bool more_a = next_line(&old, &a, &length_a), more_b = next_line(&now, &b, &length_b);
        if (!more_a && !more_b)
            return false;
        if (length_a != length_b || memcmp(a, b, (size_t)length_a) != 0) {
            snprintf(there, SHOWN_MAX, "%.*s", length_a, a);
            snprintf(here, SHOWN_MAX, "%.*s", length_b, b);
            return true;
        }
    }
}

static bool differs(const Option *option, const RunConfig *old, const RunConfig *now,
                    char there[SHOWN_MAX], char here[SHOWN_MAX]) {
    char buffer_old[OPTION_VALUE_MAX], buffer_now[OPTION_VALUE_MAX];
    if (option->offset == offsetof(RunConfig, model))
        return text_differs(old->model, now->model, there, here);
    if (option->offset == offsetof(RunConfig, groups))
        return text_differs(old->groups, now->groups, there, here);
    const char *a = option_format(option, old, buffer_old);
    const char *b = option_format(option, now, buffer_now);
    snprintf(there, SHOWN_MAX, "%.*s", SHOWN_MAX - 1, a);
    snprintf(here, SHOWN_MAX, "%.*s", SHOWN_MAX - 1, b);
    return strcmp(a, b) != 0;
}

static Status compare(const RunConfig *old, const RunConfig *now, const char *source) {
    char list[STATUS_MESSAGE_MAX / 2] = "";
    for (const Option *option = config_options; option->key; option++) {
        char there[SHOWN_MAX], here[SHOWN_MAX];
        if ((option->flags & OPTION_FIXED) == 0 || !differs(option, old, now, there, here))
            continue;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s %s there, %s here", used > 0 ? "; " : "",
                 option->key, there, here);
    }
    if (list[0] == '\0')
        return ST_OK;
    return FAIL(
        ST_USAGE,
        "%s was made with other values of what cannot change at resume: %s. Use its values, "
        "another --out, or --reset to start over",
        source, list);
}

Status config_compatible(const RunConfig *config, const char *stored_text, const char *source) {
    Status status = ST_OK;
    RunConfig *old = malloc(sizeof *old);
    TRY_ALLOC(old);
    TRY_DONE(config_from_text(stored_text, source, old));
    TRY_DONE(compare(old, config, source));
done:
    free(old);
    return status;
}

void config_each(const RunConfig *config,
                 void (*visit)(void *context, const char *key, const char *value), void *context) {
    char buffer[OPTION_VALUE_MAX];
    for (const Option *option = config_options; option->key != NULL; option++) {
        if ((option->flags & (OPTION_UNSTORED | OPTION_ALIAS)) != 0 ||
            option->type == OPTION_ACTION)
            continue;
        visit(context, option->key,
              option->offset == offsetof(RunConfig, model) ? config->model
                                                           : option_format(option, config, buffer));
    }
}
