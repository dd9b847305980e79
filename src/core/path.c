/* path: see path.h. */
#include "lockstep/path.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

/* Where `path` has got to. */
typedef struct Path {
    const char *written;
    char *bytes; /* [room] */
    size_t size, room;
} Path;

static Status add(Path *path, const char *text, size_t length) {
    if (path->size + length >= path->room)
        return FAIL(ST_USAGE, "longer than %zu bytes", path->room - 1);
    memcpy(path->bytes + path->size, text, length);
    path->size += length;
    path->bytes[path->size] = '\0';
    return ST_OK;
}

static Status add_variable(Path *path, const char *name) {
    const char *value = getenv(name);
    if (!value || !*value)
        return FAIL(ST_USAGE, "'%s': the environment has no %s; set it, or write the path out",
                    path->written, name);
    /* Expanded a second time it would be another path. */
    if (strchr(value, '$') || value[0] == '~')
        return FAIL(ST_USAGE, "'%s': %s is '%s', which is no path as it stands; write the path out",
                    path->written, name, value);
    return add(path, value, strlen(value));
}

/* The name of `$NAME` or `${NAME}` at `at`, and where it ends; NULL where it is none. */
static const char *variable_end(const char *at, char name[NAME_MAX_BYTES]) {
    bool braced = at[1] == '{';
    const char *begin = at + (braced ? 2 : 1), *end = begin;
    while (isalnum((unsigned char)*end) || *end == '_')
        end++;
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= NAME_MAX_BYTES || isdigit((unsigned char)*begin) ||
        (braced && *end != '}'))
        return NULL;
    memcpy(name, begin, length);
    name[length] = '\0';
    return end + (braced ? 1 : 0);
}

Status path_expand(const char *written, char *bytes, size_t room) {
    Path path = {.written = written, .bytes = bytes, .room = room};
    const char *at = written;
    bytes[0] = '\0';
    if (*at == '~' && at[1] != '\0' && at[1] != '/')
        return FAIL(ST_USAGE,
                    "'%s': only ~/ is understood; write the path out, or ./%s for that name here",
                    written, written);
    if (*at == '~') {
        TRY(add_variable(&path, "HOME"));
        at++;
    }
    while (*at != '\0') {
        size_t plain = strcspn(at, "$");
        char name[NAME_MAX_BYTES];
        TRY(add(&path, at, plain));
        at += plain;
        if (*at == '\0')
            break;
        const char *end = variable_end(at, name);
        if (!end)
            return FAIL(ST_USAGE,
                        "'%s': a $ stands before the name of a variable, as in $HOME or ${HOME}",
                        written);
        TRY(add_variable(&path, name));
        at = end;
    }
    return ST_OK;
}
