/* class_names: see class_names.h. All names are in one piece of memory: pointers, then text. */
#include "class_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/text.h"

/* Bytes of the UTF-8 character that text begins with; 0: it does not, or with a control character.
 */
static size_t character(const unsigned char *text) {
    unsigned char first = text[0], least = 0x80, most = 0xbf;
    size_t n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first == 0xc2) /* 80 to 9f are control characters */
        least = 0xa0;
    if (first == 0xe0)
        least = 0xa0;
    if (first == 0xed)
        most = 0x9f;
    if (first == 0xf0)
        least = 0x90;
    if (first == 0xf4)
        most = 0x8f;
    if (text[1] < least || text[1] > most)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

static Status check_name(const char *const *names, int64_t index) {
    const char *name = names[index];
    size_t length = strlen(name);
    if (length == 0)
        return FAIL(ST_DATA, "the name of class %" PRId64 " is empty", index);
    if (length >= CLASS_NAME_MAX)
        return FAIL(ST_DATA, "the name of class %" PRId64 " has %zu bytes, more than %d", index,
                    length, CLASS_NAME_MAX - 1);
    for (const char *at = name; *at;) {
        size_t bytes = character((const unsigned char *)at);
        if (bytes == 0)
            return FAIL(ST_DATA,
                        "the name of class %" PRId64
                        " is not UTF-8, or has control characters: byte 0x%02x",
                        index, (unsigned char)*at);
        at += bytes;
    }
    for (int64_t i = 0; i < index; i++) {
        if (strcmp(names[i], name) == 0)
            return FAIL(ST_DATA, "classes %" PRId64 " and %" PRId64 " are both called %s", i, index,
                        name);
    }
    return ST_OK;
}

/* Numbers as names, a line each. */
static Status number(int64_t classes, char **names) {
    Text text = {0};
    size_t size;
    for (int64_t i = 0; i < classes; i++)
        text_add(&text, "%s%" PRId64, i > 0 ? "\n" : "", i);
    return text_take(&text, names, &size);
}

static Status cut(Dataset *dataset, const char *text) {
    size_t bytes = strlen(text) + 1, n = (size_t)dataset->classes;
    const char **names = malloc(n * sizeof *names + bytes);
    TRY_ALLOC(names);
    dataset->names_memory = names;
    dataset->class_names = names;
    char *at = memcpy(names + n, text, bytes);
    for (size_t i = 0; i < n; i++) {
        char *end = strchr(at, '\n');
        if (!end && i + 1 < n)
            return FAIL(ST_DATA, "%zu names for %zu classes", i + 1, n);
        names[i] = at;
        if (end)
            *end = '\0';
        if (end && i + 1 == n)
            return FAIL(ST_DATA, "more names than the %zu classes", n);
        TRY(check_name(names, (int64_t)i));
        at = end ? end + 1 : at;
    }
    return ST_OK;
}

Status class_names_set(Dataset *dataset, const char *names) {
    char *numbers = NULL;
    if (!names)
        TRY(number(dataset->classes, &numbers));
    Status status = cut(dataset, names ? names : numbers);
    free(numbers);
    return status;
}

Status dataset_names_text(const Dataset *dataset, char **text) {
    Text all = {0};
    size_t size;
    for (int64_t i = 0; i < dataset->classes; i++)
        text_add(&all, "%s%s", i > 0 ? "\n" : "", dataset->class_names[i]);
    return text_take(&all, text, &size);
}
