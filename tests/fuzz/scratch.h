/* scratch: files for readers that take a path. Header only. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/status.h"
#include "must.h"

enum { SCRATCH_FILES = 16, SCRATCH_NAME = 256 };

static char scratch_root[] = "/tmp/lockstep-fuzz-XXXXXX";
static char scratch_made[SCRATCH_FILES][SCRATCH_NAME]; /* in the order to remove them */
static int scratch_count;

static void scratch_remove(void) {
    for (int i = 0; i < scratch_count; i++)
        remove(scratch_made[i]);
    remove(scratch_root);
}

static void scratch_note(const char *path) {
    for (int i = 0; i < scratch_count; i++)
        if (strcmp(scratch_made[i], path) == 0)
            return;
    MUST(scratch_count < SCRATCH_FILES);
    memmove(scratch_made + 1, scratch_made, (size_t)scratch_count * sizeof *scratch_made);
    snprintf(scratch_made[0], SCRATCH_NAME, "%s", path);
    scratch_count++;
}

/* The path of `name` in a folder of this process, which goes with it. */
static const char *scratch_path(const char *name) {
    static char path[SCRATCH_NAME];
    if (strstr(scratch_root, "XXXXXX")) {
        MUST(mkdtemp(scratch_root));
        atexit(scratch_remove);
    }
    snprintf(path, sizeof path, "%s/%s", scratch_root, name);
    return path;
}

static inline void scratch_folder(const char *name) {
    const char *path = scratch_path(name);
    MUST(mkdir(path, 0700) == 0);
    scratch_note(path);
}

static inline const char *scratch_write(const char *name, const void *data, size_t size) {
    const char *path = scratch_path(name);
    FILE *out = fopen(path, "wb");
    MUST(out && fwrite(data, 1, size, out) == size && fclose(out) == 0);
    scratch_note(path);
    return path;
}

/* Behind each input: what failed said so, and nothing of HDF5 is left open. */
static inline void scratch_judge(Status status) {
    MUST(status == ST_OK || strlen(status_message()) > 0);
    status_clear();
    MUST(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
}

#endif
