/* Strict numbers and the nearest name. A number is first checked against its grammar by hand, so
 * that what strtod and strtoll would accept besides (blanks, hexadecimal, "inf", trailing text) is
 * refused. */
#include "lockstep/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Past the digits at `text`. */
static const char *skip_digits(const char *text) {
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

static bool all_digits(const char *text) {
    return *text != '\0' && *skip_digits(text) == '\0';
}

ParseResult parse_int(const char *text, int64_t *value) {
    const char *digits = text + (*text == '-' || *text == '+');
    if (!all_digits(digits))
        return PARSE_SYNTAX;
    errno = 0;
    long long parsed = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        return PARSE_RANGE;
    *value = parsed;
    return PARSE_OK;
}

ParseResult parse_uint(const char *text, uint64_t *value) {
    if (!all_digits(text))
        return PARSE_SYNTAX;
    errno = 0;
    unsigned long long parsed = strtoull(text, NULL, 10);
    if (errno == ERANGE)
        return PARSE_RANGE;
    *value = parsed;
    return PARSE_OK;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool is_real(const char *text) {
    const char *at = text + (*text == '-' || *text == '+');
    const char *whole_end = skip_digits(at);
    bool any = whole_end > at;
    at = whole_end;
    if (*at == '.') {
        const char *fraction_end = skip_digits(at + 1);
        any = any || fraction_end > at + 1;
        at = fraction_end;
    }
    if (!any)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        return all_digits(at);
    }
    return *at == '\0';
}

ParseResult parse_real(const char *text, double *value) {
    if (!is_real(text))
        return PARSE_SYNTAX;
    double parsed = strtod(text, NULL);
    if (!isfinite(parsed))
        return PARSE_RANGE;
    *value = parsed;
    return PARSE_OK;
}

enum { WORD_MAX = 64 };

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b, letter case
 * apart; WORD_MAX for words that are too long to compare. */
static size_t edit_distance(const char *a, const char *b) {
    size_t length_a = strlen(a), length_b = strlen(b);
    size_t row[3][WORD_MAX];
    if (length_a >= WORD_MAX || length_b >= WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= length_b; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        int here = tolower((unsigned char)a[i - 1]);
        now[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            int there = tolower((unsigned char)b[j - 1]);
            size_t best = last[j - 1] + (here != there);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && here == tolower((unsigned char)b[j - 2]) &&
                           there == tolower((unsigned char)a[i - 2]);
            if (swapped && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[length_a % 3][length_b];
}

const char *nearest_name(const char *word, const char *const *names) {
    /* One slip in three letters is a misspelling; more is another word. */
    size_t limit = (strlen(word) + 2) / 3, least = WORD_MAX;
    const char *nearest = NULL;
    for (; *names; names++) {
        size_t distance = edit_distance(word, *names);
        if (distance < least) {
            least = distance;
            nearest = *names;
        }
    }
    return least <= limit ? nearest : NULL;
}

/* Reads a number at *at and moves behind it; false where there is none. */
static bool next_number(const char **at, bool real, double *value) {
    const char *first = *at + (real && **at == '-');
    char *end;
    if (!isdigit((unsigned char)first[*first == '.' && real]))
        return false;
    *value = real ? strtod(*at, &end) : (double)strtoull(*at, &end, 10);
    *at = end;
    return true;
}

int name_order(const char *a, const char *b) {
    const char *whole_a = a, *whole_b = b;
    bool real = false;
    while (*a || *b) {
        const char *before_a = a, *before_b = b;
        double x, y;
        if (next_number(&a, real, &x) && next_number(&b, real, &y)) {
            if (x != y)
                return x < y ? -1 : 1;
            real = false;
            continue;
        }
        a = before_a, b = before_b;
        if (*a != *b)
            return (unsigned char)*a - (unsigned char)*b;
        real = *a == '=';
        a++, b++;
    }
    return strcmp(whole_a, whole_b); /* 01 and 1 */
}
