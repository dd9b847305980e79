/* duration: see duration.h. */
#include "lockstep/duration.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    char name;
    double seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

enum { UNITS = sizeof units / sizeof *units, FIELDS_MAX = 4 };

/* Digits, with `fraction` a point and more digits behind them; moves *at behind. */
static bool next_number(const char **at, bool fraction, double *value) {
    const char *end = *at;
    while (isdigit((unsigned char)*end))
        end++;
    if (end == *at)
        return false;
    if (fraction && *end == '.' && isdigit((unsigned char)end[1])) {
        end++;
        while (isdigit((unsigned char)*end))
            end++;
    }
    *value = strtod(*at, NULL);
    *at = end;
    return true;
}

static bool parse_units(const char *at, double *seconds) {
    double sum = 0, value;
    int next = 0;
    while (*at) {
        if (!next_number(&at, true, &value))
            return false;
        while (next < UNITS && units[next].name != *at)
            next++;
        if (next == UNITS)
            return false;
        sum += value * units[next++].seconds;
        at++;
    }
    *seconds = sum;
    return next > 0;
}

/* [D-]A:B:C: behind a larger field each is below what makes one of that. */
static bool parse_clock(const char *at, double *seconds) {
    static const double limit[] = {0, 24, 60, 60};
    double field[FIELDS_MAX];
    int n = 0, first;
    bool days = strchr(at, '-') != NULL;
    for (;;) {
        if (n == FIELDS_MAX || !next_number(&at, false, &field[n++]))
            return false;
        if (!*at)
            break;
        if (*at++ != (days && n == 1 ? '-' : ':'))
            return false;
    }
    if (n < 2 || (!days && n > 3))
        return false;
    first = days ? 0 : FIELDS_MAX - n;
    *seconds = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && field[i] >= limit[first + i])
            return false;
        *seconds += field[i] * units[first + i].seconds;
    }
    return true;
}

ParseResult duration_parse(const char *text, double *seconds) {
    double parsed = 0;
    if (!parse_units(text, &parsed) && !parse_clock(text, &parsed))
        return PARSE_SYNTAX;
    if (!isfinite(parsed))
        return PARSE_RANGE;
    *seconds = parsed;
    return PARSE_OK;
}

/* As few decimals as read back to the same bits. */
static void fraction_text(double seconds, char out[DURATION_TEXT_MAX]) {
    for (int decimals = 1; decimals <= 17; decimals++) {
        snprintf(out, DURATION_TEXT_MAX, "%.*fs", decimals, seconds);
        if (strtod(out, NULL) == seconds)
            return;
    }
}

void duration_text(double seconds, char out[DURATION_TEXT_MAX]) {
    size_t used = 0;
    if (seconds != floor(seconds) || seconds >= 1e15) {
        fraction_text(seconds, out);
        return;
    }
    snprintf(out, DURATION_TEXT_MAX, "0s");
    for (int i = 0; i < UNITS; i++) {
        double count = floor(seconds / units[i].seconds);
        if (count == 0)
            continue;
        used +=
            (size_t)snprintf(out + used, DURATION_TEXT_MAX - used, "%.0f%c", count, units[i].name);
        seconds -= count * units[i].seconds;
    }
}
