/* folder: see folder.h. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

static Status add(Names *names, int64_t *room, const char *name) {
    if (names->n == *room) {
        *room = *room ? 2 * *room : FIRST_ROOM;
        char(*more)[256] = realloc(names->name, (size_t)*room * sizeof *more);
        TRY_ALLOC(more);
        names->name = more;
    }
    snprintf(names->name[names->n++], sizeof *names->name, "%s", name);
    return ST_OK;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(a, b);
}

Status folder_names(const char *folder, bool (*which)(const char *name), Names *names) {
    Status status = ST_OK;
    int64_t room = 0;
    *names = (Names){0};
    DIR *list = opendir(folder);
    if (!list && (errno == ENOENT || errno == ENOTDIR))
        return ST_OK;
    if (!list)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", folder, strerror(errno));
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(list);
        if (!entry && errno != 0)
            status = FAIL(ST_CHECKPOINT, "%s: cannot be read: %s", folder, strerror(errno));
        if (!entry)
            break;
        if (which(entry->d_name))
            TRY_DONE(add(names, &room, entry->d_name));
    }
    if (names->n > 0)
        qsort(names->name, (size_t)names->n, sizeof *names->name, by_bytes);
done:
    closedir(list);
    return status;
}

void folder_free(Names *names) {
    free(names->name);
    *names = (Names){0};
}
