/* folder: the names in a folder. Private to src/io. Local. */
#ifndef LOCKSTEP_IO_FOLDER_H
#define LOCKSTEP_IO_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

typedef struct Names {
    int64_t n;
    char (*name)[256]; /* [n], in the order of their bytes */
} Names;

/* Those names in a folder that `which` says; none where there is no such folder. ST_CHECKPOINT
 * where not all of it can be read: what is missing then must not be taken for removed. *names is to
 * be freed, also after a failure. */
Status folder_names(const char *folder, bool (*which)(const char *name), Names *names);
void folder_free(Names *names);

#endif
