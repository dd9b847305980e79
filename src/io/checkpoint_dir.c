/* checkpoint_dir: the folder of checkpoints: names, the newest good one, pruning, quarantine.
 *
 * A file counts only if it has exactly a checkpoint's name; what else is in the folder is left
 * alone, but for sidecars without a file and temporary files of dead processes. */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "checkpoint_look.h"
#include "file_util.h"
#include "lockstep/lineage.h"
#include "lockstep/log.h"

enum { BAD_MAX = 1000 };

/* Moves `path` to `to`, or, where that is taken, to `to`.2 and so on: nothing is replaced. */
static Status move_away(const char *path, const char *to) {
    char free_name[4096 + 32];
    bool exists = true;
    snprintf(free_name, sizeof free_name, "%s", to);
    for (int i = 2; exists && i <= BAD_MAX; i++) {
        TRY(file_rename_new(path, free_name, &exists));
        snprintf(free_name, sizeof free_name, "%s.%d", to, i);
    }
    return exists ? FAIL(ST_CHECKPOINT, "%s: %d files of this name are there already", to, BAD_MAX)
                  : ST_OK;
}

Status checkpoint_quarantine(const char *path) {
    char from[4096 + 8], to[4096 + 16];
    snprintf(to, sizeof to, "%s.bad", path);
    TRY(move_away(path, to));
    snprintf(from, sizeof from, "%s.xxh3", path);
    snprintf(to, sizeof to, "%s.xxh3.bad", path);
    return access(from, F_OK) == 0 ? move_away(from, to) : ST_OK;
}

bool checkpoint_is_bad(const char *name) {
    char plain[CHECKPOINT_FILE_NAME];
    const char *end = strstr(name, ".bad");
    int64_t step;
    if (!end || end - name >= (ptrdiff_t)sizeof plain ||
        (end[4] && (end[4] != '.' || strspn(end + 5, "0123456789") != strlen(end + 5))))
        return false;
    snprintf(plain, sizeof plain, "%.*s", (int)(end - name), name);
    return checkpoint_step_of(plain, "", &step) || checkpoint_step_of(plain, ".xxh3", &step);
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
        *bad = *bad || checkpoint_is_bad(entry->d_name);
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

/* Warns of a bad file, and moves it away. */
static void pass_over(const char *path, bool quarantine) {
    log_warn("%s; passed over%s", status_message(), quarantine ? " and renamed .bad" : "");
    status_clear();
    if (quarantine && checkpoint_quarantine(path) != ST_OK) {
        log_warn("%s", status_message());
        status_clear();
    }
}

/* checkpoint_look, and whether a good file is of a lineage (NULL: any). */
static CheckpointVerdict look_for(const char *path, const char *lineage, bool *of) {
    Checkpoint meta;
    CheckpointSeal seal;
    char *bytes;
    size_t size;
    CheckpointVerdict verdict = checkpoint_examine(path, &bytes, &size, &seal);
    *of = true;
    if (verdict == CHECKPOINT_GOOD && lineage) {
        if (checkpoint_parse_meta(bytes, size, path, &meta) == ST_OK) {
            *of = lineage_holds(lineage, meta.lineage ? meta.lineage : "", meta.state.step);
            checkpoint_meta_free(&meta);
        } else { /* no memory: a moment ago it could be parsed */
            verdict = CHECKPOINT_UNSEEN;
        }
    }
    free(bytes);
    return verdict;
}

Status checkpoint_search(const char *folder, bool quarantine, const char *lineage, char path[4096],
                         bool *bad) {
    Status status = ST_OK;
    int64_t *steps = NULL, n = 0;
    bool good = false;
    path[0] = '\0';
    TRY(list_steps(folder, &steps, &n, bad));
    for (int64_t i = 0; i < n && !good; i++) {
        char name[CHECKPOINT_FILE_NAME];
        checkpoint_file_name(steps[i], name);
        TRY_DONE(file_join(folder, name, path));
        bool of;
        switch (look_for(path, lineage, &of)) {
        case CHECKPOINT_GOOD:
            good = of;
            *bad = *bad || !good;
            if (!good)
                log_warn("%s is of another branch of the run; passed over (--resume FILE goes on "
                         "from it)",
                         path);
            break;
        case CHECKPOINT_BAD:
            *bad = true;
            pass_over(path, quarantine);
            break;
        case CHECKPOINT_GONE: /* pruned by its owner meanwhile */
            status_clear();
            break;
        case CHECKPOINT_UNSEEN:
            status_prefix("the newest checkpoint cannot be looked at, and stays as it is (make it "
                          "readable, or name an older one with --resume FILE)");
            status = ST_CHECKPOINT;
            goto done;
        }
    }
done:
    if (!good)
        path[0] = '\0';
    free(steps);
    return status;
}

Status checkpoint_newest(const char *folder, bool quarantine, char path[4096]) {
    bool bad;
    TRY(checkpoint_search(folder, quarantine, NULL, path, &bad));
    if (!path[0] && bad)
        return FAIL(ST_CHECKPOINT,
                    "%s: has checkpoints but no good one; start over with --reset, or name a "
                    "file with --resume FILE",
                    folder);
    return ST_OK;
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
            CheckpointVerdict verdict = checkpoint_look(path);
            kept += verdict == CHECKPOINT_GOOD;
            if (verdict == CHECKPOINT_BAD)
                pass_over(path, true);
            else if (verdict == CHECKPOINT_UNSEEN)
                log_warn("%s; it stays, and an older one is kept in its place", status_message());
            status_clear();
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
