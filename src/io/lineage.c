/* lineage: see lineage.h. */
#include "lockstep/lineage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lockstep/hash.h"

enum { ID_DIGITS = LINEAGE_ID_BYTES - 1, PART_BYTES = 1 + ID_DIGITS + 1 + 20 + 1 };

/* The part at `text` is "ID@STEP"; NULL where it is not, else what follows it. */
static const char *read_part(const char *text, int64_t *step) {
    char *end;
    if (strspn(text, "0123456789abcdef") != ID_DIGITS || text[ID_DIGITS] != '@' ||
        text[ID_DIGITS + 1] < '0' || text[ID_DIGITS + 1] > '9')
        return NULL;
    errno = 0;
    *step = strtoll(text + ID_DIGITS + 1, &end, 10);
    return errno == 0 ? end : NULL;
}

bool lineage_is_valid(const char *text) {
    int64_t step, last = 0;
    while (*text) {
        const char *end = read_part(text, &step);
        if (!end || step < last || (*end && (*end != ' ' || !end[1])))
            return false;
        last = step;
        text = end + (*end == ' ');
    }
    return true;
}

/* The part of the last branch. */
static const char *last_part(const char *lineage) {
    const char *last = strrchr(lineage, ' ');
    return last ? last + 1 : lineage;
}

int64_t lineage_begin(const char *lineage) {
    int64_t step = 0;
    return read_part(last_part(lineage), &step) ? step : 0;
}

void lineage_id(const char *lineage, char id[LINEAGE_ID_BYTES]) {
    snprintf(id, LINEAGE_ID_BYTES, "%.*s", ID_DIGITS,
             *lineage ? last_part(lineage) : "0000000000000000");
}

Status lineage_branch(const char *from, int64_t step, char **lineage) {
    uint64_t number = 0;
    char id[LINEAGE_ID_BYTES];
    size_t room = strlen(from) + PART_BYTES;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return FAIL(ST_INTERNAL, "the system gives no random number: %s", strerror(errno));
    *lineage = malloc(room);
    TRY_ALLOC(*lineage);
    hash_hex(number, id);
    snprintf(*lineage, room, "%s%s%s@%" PRId64, from, *from ? " " : "", id, step);
    return ST_OK;
}

bool lineage_holds(const char *lineage, const char *of, int64_t step) {
    size_t length = strlen(of);
    int64_t left;
    if (strncmp(lineage, of, length) != 0)
        return false;
    const char *next = lineage + length;
    if (!*next)
        return true;
    if (length > 0 && *next++ != ' ')
        return false;
    return read_part(next, &left) && step <= left;
}
