/* checkpoint_dir: the folder of checkpoints: names, the newest good one, pruning, quarantine.
 *
 * A file counts only if it has exactly a checkpoint's name; what else is in the folder is left
 * alone, but for sidecars without a file and temporary files of dead processes. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "file_util.h"
#include "lockstep/log.h"

Status checkpoint_quarantine(const char *path) {
    char from[4096 + 8], to[4096 + 16];
    snprintf(to, sizeof to, "%s.bad", path);
    if (rename(path, to) != 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be renamed to .bad: %s", path, strerror(errno));
    snprintf(from, sizeof from, "%s.xxh3", path);
    snprintf(to, sizeof to, "%s.xxh3.bad", path);
    if (rename(from, to) != 0 && errno != ENOENT)
        return FAIL(ST_CHECKPOINT, "%s: cannot be renamed to .bad: %s", from, strerror(errno));
    return ST_OK;
}

static int descending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The steps of all files with a checkpoint's name, newest first; the caller frees *steps. *bad
 * says whether there are quarantined ones. A folder that is not there is empty. */
static Status list_steps(const char *folder, int64_t **steps, int64_t *n, bool *bad) {
    DIR *dir = opendir(folder);
    int64_t room = 0, step;
    *steps = NULL;
    *n = 0;
    *bad = false;
    if (!dir && errno == ENOENT)
        return ST_OK;
    if (!dir)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        *bad = *bad || checkpoint_step_of(entry->d_name, ".bad", &step);
        if (!checkpoint_step_of(entry->d_name, "", &step))
            continue;
        if (*n == room) {
            room = room ? 2 * room : 64;
            int64_t *more = realloc(*steps, (size_t)room * sizeof step);
            if (!more) {
                closedir(dir);
                free(*steps);
                *steps = NULL;
                return FAIL(ST_INTERNAL, "out of memory");
            }
            *steps = more;
        }
        (*steps)[(*n)++] = step;
    }
    closedir(dir);
    if (*n > 0)
        qsort(*steps, (size_t)*n, sizeof step, descending);
    return ST_OK;
}

/* After a failed check: warns, and moves away a file that could be read but is not good. */
static void pass_over(const char *path, bool quarantine) {
    bool readable = access(path, R_OK) == 0;
    if (access(path, F_OK) != 0) { /* pruned by its owner meanwhile: not bad, gone */
        status_clear();
        return;
    }
    log_warn("%s; passed over%s", status_message(),
             quarantine && readable ? " and renamed .bad" : "");
    status_clear();
    if (quarantine && readable && checkpoint_quarantine(path) != ST_OK) {
        log_warn("%s", status_message());
        status_clear();
    }
}

Status checkpoint_newest(const char *folder, bool quarantine, char path[4096]) {
    Status status = ST_OK;
    int64_t *steps = NULL, n = 0;
    bool bad, good = false;
    path[0] = '\0';
    TRY(list_steps(folder, &steps, &n, &bad));
    for (int64_t i = 0; i < n && !good; i++) {
        char name[CHECKPOINT_FILE_NAME];
        checkpoint_file_name(steps[i], name);
        TRY_DONE(file_join(folder, name, path));
        good = checkpoint_verify(path) == ST_OK;
        if (!good)
            pass_over(path, quarantine);
    }
    if (!good)
        path[0] = '\0';
    if (!good && (n > 0 || bad))
        status = FAIL(ST_CHECKPOINT,
                      "%s: has checkpoints but no good one; start over with --reset, or name a "
                      "file with --resume FILE",
                      folder);
done:
    free(steps);
    return status;
}

Status checkpoint_ask(const CheckpointGate *gate) {
    return gate && gate->ask ? gate->ask(gate->context) : ST_OK;
}

/* Removes sidecars without a file and temporary files of the dead. */
static Status sweep(const char *folder, const CheckpointGate *gate) {
    char path[4096], file[4096];
    Status status = ST_OK;
    int64_t step;
    DIR *dir = opendir(folder);
    if (!dir)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *name = entry->d_name;
        bool stale = strncmp(name, "step-", 5) == 0 && file_temporary_is_stale(name, false);
        if (checkpoint_step_of(name, ".xxh3", &step)) {
            char base[CHECKPOINT_FILE_NAME];
            checkpoint_file_name(step, base);
            TRY_DONE(file_join(folder, base, file));
            stale = access(file, F_OK) != 0;
        }
        if (stale) {
            TRY_DONE(checkpoint_ask(gate));
            TRY_DONE(file_join(folder, name, path));
            TRY_DONE(file_remove(path));
        }
    }
done:
    closedir(dir);
    return status;
}

Status checkpoint_prune(const char *folder, int64_t keep, const char *spare,
                        const CheckpointGate *gate) {
    Status status = ST_OK;
    int64_t *steps = NULL, n = 0, kept = 0;
    bool bad;
    char name[CHECKPOINT_FILE_NAME], path[4096], sidecar[4096 + 8];
    TRY(list_steps(folder, &steps, &n, &bad));
    for (int64_t i = 0; i < n && n > keep; i++) {
        checkpoint_file_name(steps[i], name);
        TRY_DONE(file_join(folder, name, path));
        TRY_DONE(checkpoint_ask(gate));
        if (kept < keep) {
            if (checkpoint_verify(path) == ST_OK)
                kept++;
            else
                pass_over(path, true);
            continue;
        }
        if (spare && strcmp(spare, name) == 0)
            continue;
        /* The file first: a sidecar alone is harmless, a file alone would count as damaged. */
        snprintf(sidecar, sizeof sidecar, "%s.xxh3", path);
        TRY_DONE(file_remove(path));
        TRY_DONE(file_remove(sidecar));
    }
    TRY_DONE(sweep(folder, gate));
done:
    free(steps);
    return status;
}
