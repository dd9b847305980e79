/* rundir: the run directory. See rundir.h.
 *
 * Between a look at the owner file and the write that follows, another process may take the
 * directory. That one does no harm, whenever it comes:
 *
 *   a rename   Its temporary file has a name of its process's own, and the last look comes after it
 *              was made. Who takes the directory removes such files before reading anything. So a
 *              rename either comes before that, or finds nothing to rename, or is not tried.
 *   a line     Of log.txt or metrics.jsonl: both are begun as new files under the old names; what
 *              an old process holds open has no name any more.
 *
 * A removal (of checkpoints beyond `keep`, of best.h5's temporary link) is what is left: it may
 * come a moment late, and takes what its own process would have removed. */
#include "lockstep/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "file_util.h"
#include "folder.h"
#include "lockstep/file.h"
#include "lockstep/flight_dir.h"
#include "lockstep/log.h"
#include "owner.h"

static Status remove_ours(const RunDir *dir, const char *folder, const char *name) {
    char path[4096];
    TRY(file_join(folder, name, path));
    TRY(rundir_check(dir));
    return file_remove(path);
}

/* A temporary file of a run, whoever has made it. */
static bool is_left_over(const char *name) {
    static const char *const begins[] = {
        "config.yaml.",         "log.txt.",        "metrics.jsonl.", "metrics.next.",
        "result.json.",         "trace.json.",     "autotune.txt.",  "best.h5.",
        "plans.txt.",           "local.",          "lineage.",       "sessions.jsonl.",
        "events.out.tfevents.", "predictions.h5.", "step-"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(name, begins[i], strlen(begins[i])) == 0)
            return file_is_temporary(name);
    return false;
}

static Status remove_some(const RunDir *dir, const char *folder, bool (*which)(const char *name)) {
    Names names;
    Status status = folder_names(folder, which, &names);
    for (int64_t i = 0; status == ST_OK && i < names.n; i++)
        status = remove_ours(dir, folder, names.name[i]);
    folder_free(&names);
    return status;
}

Status rundir_sweep(const RunDir *dir, const char *folder) {
    return remove_some(dir, folder, is_left_over);
}

/* Whether a file system says by this that it has no symbolic links; others (no room, say) pass. */
static bool is_no_links(int error) {
    return error == EPERM || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL;
}

/* What the file system cannot do, and a run does without: said once, at its start. */
static Status look_for_lacks(RunDir *dir) {
    char own[256], from[4096], to[4096 + 8];
    file_temporary_name("step-probe", own, sizeof own);
    TRY(file_join(dir->checkpoints, own, from));
    snprintf(to, sizeof to, "%s.to", from);
    TRY(rundir_check(dir));
    TRY(file_create(from, "", 0));
    Status status = file_remove(to);
    if (status == ST_OK && !file_can_rename_new(from, to))
        log_warn("%s: the file system can neither rename without replacing nor link: only the "
                 "owner file keeps another process from replacing a checkpoint",
                 dir->path);
    unlink(from);
    unlink(to);
    dir->no_links = status == ST_OK && symlink("none", from) != 0 && is_no_links(errno);
    if (dir->no_links)
        log_warn("%s: the file system has no symbolic links (%s): there is no best.h5; `lockstep "
                 "eval %s` finds the best checkpoint without it",
                 dir->path, strerror(errno), dir->path);
    unlink(from);
    return status;
}

/* A directory with such files but neither owner nor checkpoints was never a run's: they are
 * somebody else's, and a run would replace them. */
static Status check_strange(const char *path) {
    static const char *const run_files[] = {"owner", "checkpoints", "metrics.jsonl", "result.json"};
    char file[4096];
    for (size_t i = 0; i < sizeof run_files / sizeof *run_files; i++) {
        TRY(file_join(path, run_files[i], file));
        if (access(file, F_OK) != 0)
            continue;
        if (i < 2)
            return ST_OK;
        return FAIL(ST_CHECKPOINT,
                    "%s holds %s, but no run has been there (it has no file `owner`): nothing is "
                    "changed there; choose another --out",
                    path, run_files[i]);
    }
    return ST_OK;
}

/* `over`: see owner_take. */
static Status open_over(const char *path, const char *over, RunDir *dir) {
    Status status = ST_OK;
    char board[4096];
    memset(dir, 0, sizeof *dir);
    dir->lock_fd = dir->log_fd = dir->metrics_fd = -1;
    TRY_DONE(file_make_folders(path, "--out"));
    snprintf(dir->path, sizeof dir->path, "%s", path);
    TRY_DONE(check_strange(path));
    TRY_DONE(owner_take(path, over, dir->owner, &dir->lock_fd));
    TRY_DONE(file_join(path, "checkpoints", dir->checkpoints));
    TRY_DONE(file_make_folders(dir->checkpoints, "--out"));
    TRY_DONE(rundir_sweep(dir, dir->path));
    TRY_DONE(rundir_sweep(dir, dir->checkpoints));
    TRY_DONE(file_join(path, "tensorboard", board));
    TRY_DONE(rundir_sweep(dir, board));
    TRY_DONE(look_for_lacks(dir));
done:
    if (status != ST_OK)
        rundir_close(dir);
    return status;
}

Status rundir_open(const char *path, RunDir *dir) {
    return open_over(path, "", dir);
}

Status rundir_inherit(const char *path, const char *owner, RunDir *dir) {
    return open_over(path, owner, dir);
}

void rundir_close(RunDir *dir) {
    if (dir->path[0] != '\0') { /* else zeroed: its descriptors are not descriptors */
        if (dir->metrics_fd >= 0)
            close(dir->metrics_fd);
        if (dir->log_fd >= 0)
            close(dir->log_fd);
        if (dir->lock_fd >= 0)
            owner_release(dir->lock_fd);
    }
    free(dir->lineage);
    memset(dir, 0, sizeof *dir);
    dir->lock_fd = dir->log_fd = dir->metrics_fd = -1;
}

RunHolder rundir_holder(const char *path) {
    return owner_life(path);
}

Status rundir_beat(const RunDir *dir, int64_t beat, double every) {
    return owner_beat(dir->lock_fd, dir->owner, beat, every);
}

Status rundir_check(const RunDir *dir) {
    return owner_check(dir->path, dir->owner);
}

bool rundir_lost(const RunDir *dir) {
    return owner_look(dir->path, dir->owner) == OWNER_OTHER;
}

Status rundir_replace(const RunDir *dir, const char *name, const void *bytes, size_t size) {
    char path[4096], temporary[4096], own[256];
    file_temporary_name(name, own, sizeof own);
    TRY(file_join(dir->path, name, path));
    TRY(file_join(dir->path, own, temporary));
    TRY(rundir_check(dir));
    TRY(file_create(temporary, bytes, size));
    Status status = rundir_check(dir);
    if (status == ST_OK && rename(temporary, path) != 0)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be replaced: %s", path, strerror(errno));
    if (status != ST_OK)
        unlink(temporary);
    return status == ST_OK ? file_sync_folder(dir->path) : status;
}

/* What stands behind the name of a checkpoint or its checksum file, NULL where NAME is neither. */
static const char *behind_checkpoint(const char *name) {
    char plain[64];
    const char *end = strstr(name, ".h5");
    int64_t step;
    if (!end || end + 3 - name >= (ptrdiff_t)sizeof plain)
        return NULL;
    end += 3;
    snprintf(plain, sizeof plain, "%.*s", (int)(end - name), name);
    if (!checkpoint_step_of(plain, "", &step))
        return NULL;
    return strncmp(end, ".xxh3", 5) == 0 ? end + 5 : end;
}

/* A checkpoint, its checksum file, or one of them under a temporary name. */
static bool is_checkpoint_part(const char *name) {
    const char *rest = behind_checkpoint(name);
    return rest && (!*rest || file_is_temporary(rest));
}

static bool is_event_file(const char *name) {
    return strncmp(name, "events.out.tfevents.", 20) == 0 && strstr(name, ".lockstep");
}

static bool is_checkpoint(const char *name) {
    int64_t step;
    return checkpoint_step_of(name, "", &step);
}

/* How many of a folder's files `which` says. */
static Status count_some(const char *folder, bool (*which)(const char *name), int64_t *n) {
    Names names;
    Status status = folder_names(folder, which, &names);
    *n = names.n;
    folder_free(&names);
    return status;
}

/* Moves the files that were found bad out of the new run's way: a person may still want them. */
static Status set_bad_aside(const RunDir *dir) {
    Status status = ST_OK;
    Names names;
    char folder[4096], path[4096], from[4096], name[32];
    bool exists = true;
    TRY_DONE(folder_names(dir->checkpoints, checkpoint_is_bad, &names));
    for (int i = 1; names.n > 0 && exists; i++) {
        snprintf(name, sizeof name, "bad-%d", i);
        TRY_DONE(file_join(dir->checkpoints, name, folder));
        exists = access(folder, F_OK) == 0;
    }
    if (names.n > 0)
        TRY_DONE(file_make_folders(folder, "--out"));
    for (int64_t i = 0; i < names.n; i++) {
        TRY_DONE(file_join(dir->checkpoints, names.name[i], from));
        TRY_DONE(file_join(folder, names.name[i], path));
        TRY_DONE(rundir_check(dir));
        TRY_DONE(file_rename_new(from, path, &exists));
    }
    if (names.n > 0)
        log_info("--reset: files that were found bad are kept in %s", folder);
done:
    folder_free(&names);
    return status;
}

/* What --reset removes, each NAME and at the end NULL. */
static const char *const reset_names[] = {"result.json",
                                          "metrics.jsonl",
                                          "autotune.txt",
                                          "plans.txt",
                                          "sessions.jsonl",
                                          "predictions.h5",
                                          "trace.json",
                                          "crash-fired",
                                          "best.h5",
                                          "lineage",
                                          NULL};

/* Whether NAME is there, as what a run makes of it. */
static bool is_there(const RunDir *dir, const char *name) {
    char path[4096];
    struct stat info;
    if (snprintf(path, sizeof path, "%s/%s", dir->path, name) >= (int)sizeof path ||
        lstat(path, &info) != 0)
        return false;
    return strcmp(name, "best.h5") == 0 ? S_ISLNK(info.st_mode) : S_ISREG(info.st_mode);
}

/* Says so before it is done. */
static Status announce_reset(const RunDir *dir, const char *board) {
    char list[512] = "";
    int64_t checkpoints, events;
    TRY(count_some(dir->checkpoints, is_checkpoint, &checkpoints));
    TRY(count_some(board, is_event_file, &events));
    if (checkpoints > 0)
        snprintf(list, sizeof list, ", %" PRId64 " checkpoint%s", checkpoints,
                 checkpoints == 1 ? "" : "s");
    for (int i = 0; reset_names[i]; i++) {
        size_t used = strlen(list);
        if (is_there(dir, reset_names[i]))
            snprintf(list + used, sizeof list - used, ", %s", reset_names[i]);
    }
    if (events > 0)
        strcat(list, ", TensorBoard's events");
    if (list[0])
        log_info("--reset: removes from %s: %s", dir->path, list + 2);
    return ST_OK;
}

Status rundir_reset(RunDir *dir) {
    char board[4096];
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "tensorboard", board));
    TRY(announce_reset(dir, board));
    TRY(set_bad_aside(dir));
    TRY(flight_prune(dir->path, 0));
    TRY(remove_some(dir, dir->checkpoints, is_checkpoint_part));
    TRY(remove_some(dir, board, is_event_file));
    for (int i = 0; reset_names[i]; i++) {
        if (is_there(dir, reset_names[i]))
            TRY(remove_ours(dir, dir->path, reset_names[i]));
    }
    free(dir->lineage);
    dir->lineage = NULL;
    TRY(file_sync_folder(dir->checkpoints));
    return file_sync_folder(dir->path);
}

bool rundir_holds(const RunDir *dir, const char *path, int64_t step) {
    char name[CHECKPOINT_FILE_NAME], own[4096];
    struct stat a, b;
    checkpoint_file_name(step, name);
    return snprintf(own, sizeof own, "%s/%s", dir->checkpoints, name) < (int)sizeof own &&
           stat(path, &a) == 0 && stat(own, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* A new file with what the old one holds. */
static Status renew(const RunDir *dir, const char *name, const char *path) {
    char *text = NULL;
    size_t size = 0;
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &text, &size));
    Status status = rundir_replace(dir, name, text, size);
    free(text);
    return status;
}

Status rundir_open_log(RunDir *dir) {
    char path[4096];
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "log.txt", path));
    TRY(renew(dir, "log.txt", path));
    dir->log_fd = file_open(path, O_WRONLY | O_CREAT | O_APPEND);
    if (dir->log_fd < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", path, file_cause(errno));
    return ST_OK;
}

Status rundir_write_config(RunDir *dir, const char *text) {
    return rundir_replace(dir, "config.yaml", text, strlen(text));
}

Status rundir_write_autotune(RunDir *dir, const char *text) {
    if (!text)
        return remove_ours(dir, dir->path, "autotune.txt");
    return rundir_replace(dir, "autotune.txt", text, strlen(text));
}

static Status read_text(const RunDir *dir, const char *name, char **text) {
    char path[4096];
    size_t size;
    *text = NULL;
    TRY(file_join(dir->path, name, path));
    return access(path, F_OK) == 0 ? file_load(path, text, &size) : ST_OK;
}

Status rundir_read_autotune(const RunDir *dir, char **text) {
    return read_text(dir, "autotune.txt", text);
}

Status rundir_read_plans(const RunDir *dir, char **text) {
    return read_text(dir, "plans.txt", text);
}

Status rundir_write_plans(RunDir *dir, const char *text) {
    char *old = NULL;
    Status status = ST_OK;
    if (!text)
        return ST_OK;
    if (rundir_read_plans(dir, &old) != ST_OK)
        status_clear();
    if (!old || strcmp(old, text) != 0)
        status = rundir_replace(dir, "plans.txt", text, strlen(text));
    free(old);
    return status;
}

Status rundir_link_best(RunDir *dir, const char *file_name) {
    char path[4096], temporary[4096], target[512], own[256], linked[256];
    rundir_best(dir, linked);
    if (dir->no_links) /* a link of earlier, or of another host, must not name another file */
        return linked[0] && strcmp(linked, file_name) != 0 ? remove_ours(dir, dir->path, "best.h5")
                                                           : rundir_check(dir);
    file_temporary_name("best.h5", own, sizeof own);
    TRY(file_join(dir->path, "best.h5", path));
    TRY(file_join(dir->path, own, temporary));
    snprintf(target, sizeof target, "checkpoints/%s", file_name);
    TRY(rundir_check(dir));
    TRY(file_remove(temporary));
    if (symlink(target, temporary) != 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be made: %s", temporary, strerror(errno));
    Status status = rundir_check(dir);
    if (status == ST_OK && rename(temporary, path) != 0)
        status =
            FAIL(ST_CHECKPOINT, "%s: cannot be linked to %s: %s", path, target, strerror(errno));
    if (status != ST_OK)
        unlink(temporary);
    return status == ST_OK ? file_sync_folder(dir->path) : status;
}

void rundir_best(const RunDir *dir, char file_name[256]) {
    char path[4096], target[4096];
    file_name[0] = '\0';
    if (snprintf(path, sizeof path, "%s/best.h5", dir->path) >= (int)sizeof path)
        return;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(file_name, 256, "%.255s", slash ? slash + 1 : target);
}

Status rundir_crash_marker(const char *path, bool *first) {
    char marker[4096];
    Status status = ST_OK;
    *first = false;
    TRY(file_join(path, "crash-fired", marker));
    int fd = open(marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return ST_OK;
    if (fd < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be made: %s", marker, strerror(errno));
    if (file_sync(fd) != 0)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", marker, strerror(errno));
    close(fd);
    if (status == ST_OK)
        status = file_sync_folder(path);
    *first = status == ST_OK;
    return status;
}
