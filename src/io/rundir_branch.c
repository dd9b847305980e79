/* rundir_branch: which checkpoints of a run directory belong to the run that goes on there.
 *
 * The file `lineage` says it:
 *
 *   0123456789abcdef@0 fedcba9876543210@12     the branch (lineage.h)
 *   begun 77 0 89abcdef01234567                by which job, restart and command line
 *   sorting                                    only until the files of others are set aside
 *
 * It is written before anything is moved, so that a crash on the way changes nothing: whoever comes
 * next goes on with files of that branch alone, and moves the others. Lost, it follows from the
 * newest good checkpoint, which carries its own lineage. See rundir.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_format.h"
#include "file_util.h"
#include "lockstep/hash.h"
#include "lockstep/lineage.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

enum { COMMAND_BYTES = 1 << 16 };

/* Who begins a branch. */
typedef struct Beginner {
    char job[64]; /* "none" */
    int64_t restart;
    char command[17]; /* hash of the command line */
} Beginner;

static Beginner myself(void) {
    Beginner me = {.job = "none"};
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    static char words[COMMAND_BYTES];
    if (job && *job)
        snprintf(me.job, sizeof me.job, "%s", job);
    me.restart = restart ? strtoll(restart, NULL, 10) : 0;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, words, sizeof words) : 0;
    if (fd >= 0)
        close(fd);
    hash_hex(hash_bytes(words, n > 0 ? (size_t)n : 0), me.command);
    return me;
}

Status rundir_read_branch(RunDir *dir) {
    char path[4096], *text = NULL, word[16] = "";
    size_t size;
    Beginner by = {0}, me = myself();
    free(dir->lineage);
    dir->lineage = NULL;
    TRY(file_join(dir->path, "lineage", path));
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &text, &size));
    char *rest = strchr(text, '\n');
    if (rest)
        *rest++ = '\0';
    int n = rest ? sscanf(rest, "begun %63s %" SCNd64 " %16s %15s", by.job, &by.restart, by.command,
                          word)
                 : 0;
    if (n < 3 || !*text || !lineage_is_valid(text)) {
        log_warn("%s: is not readable as a lineage; the newest checkpoint says which branch it is",
                 path);
        free(text);
        return ST_OK;
    }
    dir->lineage = text;
    dir->sorting = strcmp(word, "sorting") == 0;
    dir->begun_before = strcmp(by.job, "none") != 0 && strcmp(by.job, me.job) == 0 &&
                        by.restart < me.restart && strcmp(by.command, me.command) == 0;
    return ST_OK;
}

static Status write_branch(const RunDir *dir, bool sorting) {
    const Beginner me = myself();
    size_t room = strlen(dir->lineage) + 256;
    char *text = malloc(room);
    TRY_ALLOC(text);
    int n = snprintf(text, room, "%s\nbegun %s %" PRId64 " %s\n%s", dir->lineage, me.job,
                     me.restart, me.command, sorting ? "sorting\n" : "");
    Status status = rundir_replace(dir, "lineage", text, (size_t)n);
    free(text);
    return status;
}

/* Whether a file of checkpoints is in the way of the branch: another's, or, where that cannot be
 * told, one of a step that the branch is still to come to. */
static bool is_others(const RunDir *dir, const char *path, int64_t step) {
    Checkpoint meta;
    bool others = false;
    switch (checkpoint_look(path)) {
    case CHECKPOINT_GOOD:
        if (checkpoint_read_meta(path, &meta) == ST_OK) {
            others = !lineage_holds(dir->lineage, meta.lineage ? meta.lineage : "", step);
            checkpoint_meta_free(&meta);
        }
        break;
    case CHECKPOINT_UNSEEN:
        others = step > lineage_begin(dir->lineage);
        break;
    case CHECKPOINT_BAD: /* for whoever looks for a good one */
    case CHECKPOINT_GONE:
        break;
    }
    status_clear();
    return others;
}

/* Its checksum file is copied first and removed last: at no moment is a file without one. */
static Status move_one(const RunDir *dir, const char *name, const char *folder) {
    char from[4096], to[4096], sidecar[CHECKPOINT_FILE_NAME + 8], from_sidecar[4096],
        to_sidecar[4096], *text = NULL;
    size_t size;
    bool exists;
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", name);
    TRY(file_join(dir->checkpoints, name, from));
    TRY(file_join(folder, name, to));
    TRY(file_join(dir->checkpoints, sidecar, from_sidecar));
    TRY(file_join(folder, sidecar, to_sidecar));
    TRY(rundir_check(dir));
    if (file_load(from_sidecar, &text, &size) == ST_OK) {
        Status status = file_create(to_sidecar, text, size);
        free(text);
        TRY(status);
    }
    status_clear();
    TRY(file_rename_new(from, to, &exists));
    if (exists)
        return FAIL(ST_CHECKPOINT, "%s: there is a file of this name already", to);
    return file_remove(from_sidecar);
}

/* The steps of what is to be moved; the caller frees *steps. */
static Status list_others(const RunDir *dir, int64_t **steps, int64_t *n) {
    Status status = ST_OK;
    char path[4096];
    int64_t step, room = 0;
    *steps = NULL;
    *n = 0;
    DIR *list = opendir(dir->checkpoints);
    if (!list)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", dir->checkpoints, strerror(errno));
    for (struct dirent *entry; (entry = readdir(list));) {
        if (!checkpoint_step_of(entry->d_name, "", &step))
            continue;
        TRY_DONE(file_join(dir->checkpoints, entry->d_name, path));
        if (!is_others(dir, path, step))
            continue;
        if (*n == room) {
            room = room ? 2 * room : 16;
            int64_t *more = realloc(*steps, (size_t)room * sizeof step);
            if (!more) {
                status = FAIL(ST_INTERNAL, "out of memory");
                goto done;
            }
            *steps = more;
        }
        (*steps)[(*n)++] = step;
    }
done:
    closedir(list);
    return status;
}

/* Where what the branch leaves is kept; made where it is not there. */
static Status aside_folder(const RunDir *dir, char folder[4096]) {
    char name[CHECKPOINT_FILE_NAME];
    const char *last = strrchr(dir->lineage, ' ');
    snprintf(name, sizeof name, "aside-%.16s", last ? last + 1 : dir->lineage);
    TRY(file_join(dir->checkpoints, name, folder));
    return file_make_folders(folder, "--out");
}

/* The folder that `path` ends in, which is cut off; "" where there is none. */
static const char *cut_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash)
        return "";
    *slash = '\0';
    return slash + 1;
}

/* The metrics that belong to a checkpoint: beside it where it was set aside, else in the run
 * directory whose folder of checkpoints it is in. "" where there are none. */
static void metrics_beside(const char *file, char path[4096]) {
    char *real = realpath(file, NULL);
    path[0] = '\0';
    if (!real)
        return;
    cut_folder(real);
    const char *name = strrchr(real, '/');
    bool is_aside = name && strncmp(name + 1, "aside-", strlen("aside-")) == 0;
    if ((is_aside || strcmp(cut_folder(real), "checkpoints") == 0) &&
        (snprintf(path, 4096, "%s/metrics.jsonl", real) >= 4096 || access(path, F_OK) != 0))
        path[0] = '\0';
    free(real);
}

/* The metrics of what the branch leaves go with that. Those of the state it goes on from come,
 * unless the state is `own`, one that the directory's metrics have led to: they are cut back. */
static Status change_metrics(const RunDir *dir, const char *file, bool own) {
    char path[4096], folder[4096], kept[4096], theirs[4096], *text = NULL;
    struct stat a, b;
    size_t size;
    TRY(file_join(dir->path, "metrics.jsonl", path));
    metrics_beside(file, theirs);
    bool have = stat(path, &a) == 0;
    if (have) {
        TRY(aside_folder(dir, folder));
        TRY(file_join(folder, "metrics.jsonl", kept));
        TRY(file_load(path, &text, &size));
        Status status = file_create(kept, text, size);
        free(text);
        TRY(status);
        TRY(file_sync_folder(folder)); /* before the only other copy is replaced */
    }
    if (have && (own || (theirs[0] && stat(theirs, &b) == 0 && a.st_ino == b.st_ino &&
                         a.st_dev == b.st_dev)))
        return ST_OK;
    TRY(rundir_check(dir));
    if (!theirs[0])
        return file_remove(path);
    TRY(file_load(theirs, &text, &size));
    Status status = rundir_replace(dir, "metrics.jsonl", text, size);
    free(text);
    return status;
}

static Status set_others_aside(const RunDir *dir) {
    Status status = ST_OK;
    int64_t *steps = NULL, n = 0;
    char name[CHECKPOINT_FILE_NAME], folder[4096], names[512] = "";
    TRY_DONE(list_others(dir, &steps, &n));
    if (n == 0)
        goto done;
    TRY_DONE(aside_folder(dir, folder));
    for (int64_t i = 0; i < n; i++) {
        size_t used = strlen(names);
        checkpoint_file_name(steps[i], name);
        TRY_DONE(move_one(dir, name, folder));
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
    }
    TRY_DONE(file_sync_folder(folder));
    TRY_DONE(file_sync_folder(dir->checkpoints));
    log_info("set aside, for they are of another branch of the run: %s (in %s)", names, folder);
done:
    free(steps);
    return status;
}

/* Whether the directory's branch goes on with this state. */
static bool goes_on(const RunDir *dir, const char *from, int64_t step) {
    return dir->lineage && lineage_holds(dir->lineage, from, step) &&
           lineage_begin(dir->lineage) <= step;
}

Status rundir_begin_branch(RunDir *dir, const char *from, int64_t step, bool leaves,
                           const char *file) {
    char *lineage = NULL;
    bool own = dir->lineage && lineage_holds(dir->lineage, from, step);
    if (!leaves && goes_on(dir, from, step)) {
        if (!dir->sorting)
            return ST_OK;
    } else {
        if (!leaves && *from && !dir->lineage) { /* the file `lineage` is lost, or never was */
            lineage = strdup(from);
            TRY_ALLOC(lineage);
        } else {
            TRY(lineage_branch(from, step, &lineage));
        }
        free(dir->lineage);
        dir->lineage = lineage;
        TRY(write_branch(dir, true));
        if (file)
            TRY(change_metrics(dir, file, own));
    }
    TRY(set_others_aside(dir));
    dir->sorting = false;
    return write_branch(dir, false);
}
