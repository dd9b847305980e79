/* parse: strict numbers from text, and the nearest known word for a misspelt one. Local. */
#ifndef LOCKSTEP_PARSE_H
#define LOCKSTEP_PARSE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ParseResult {
    PARSE_OK,
    PARSE_SYNTAX, /* not a number of that form, or something follows it */
    PARSE_RANGE   /* a number, but too large for the type */
} ParseResult;

/* Decimal whole numbers with an optional sign: "12", "-3". No blanks, no suffixes, no other base.
 */
ParseResult parse_int(const char *text, int64_t *value);
ParseResult parse_uint(const char *text, uint64_t *value); /* no sign */

/* Decimal reals: "0.1", "1e-3", "5". Neither hexadecimal nor infinity nor NaN. */
ParseResult parse_real(const char *text, double *value);

/* The name of the NULL-ended list `names` that is nearest to `word` by edit distance, or NULL if
 * none is near enough to be what was meant. Borrowed from the list. */
const char *nearest_name(const char *word, const char *const *names);

/* Order of names as people count, < 0, 0 or > 0: whole numbers in them by their value (run.2 before
 * run.10), and reals where they follow an '=' (lr=0.25 before lr=0.5). */
int name_order(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
