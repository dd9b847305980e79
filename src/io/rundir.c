/* rundir: the run directory. See rundir.h.
 *
 * Between a look at the owner file and the write that follows, another process may take the
 * directory. So nothing that the old one can still reach is the new one's: log.txt and
 * metrics.jsonl are begun as new files under the old names (what an old process holds open has no
 * name any more), and a commit never replaces a file (file_rename_new). */
#include "lockstep/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_util.h"
#include "owner.h"

Status rundir_open(const char *path, RunDir *dir) {
    Status status = ST_OK;
    memset(dir, 0, sizeof *dir);
    dir->lock_fd = dir->log_fd = dir->metrics_fd = -1;
    TRY_DONE(file_make_folders(path, "--out"));
    snprintf(dir->path, sizeof dir->path, "%s", path);
    TRY_DONE(owner_take(path, dir->owner, &dir->lock_fd));
    TRY_DONE(file_join(path, "checkpoints", dir->checkpoints));
    TRY_DONE(file_make_folders(dir->checkpoints, "--out"));
done:
    if (status != ST_OK)
        rundir_close(dir);
    return status;
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
    memset(dir, 0, sizeof *dir);
    dir->lock_fd = dir->log_fd = dir->metrics_fd = -1;
}

Status rundir_check(const RunDir *dir) {
    return owner_check(dir->path, dir->owner);
}

bool rundir_lost(const RunDir *dir) {
    return owner_look(dir->path, dir->owner) == OWNER_OTHER;
}

/* A checkpoint, its sidecar, one of them quarantined or under a temporary name. */
static bool is_checkpoint_part(const char *name) {
    size_t digits = strncmp(name, "step-", 5) == 0 ? strspn(name + 5, "0123456789") : 0;
    return digits >= 8 && strncmp(name + 5 + digits, ".h5", 3) == 0;
}

static Status remove_checkpoints(const char *folder) {
    Status status = ST_OK;
    char path[4096];
    DIR *list = opendir(folder);
    if (!list)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(list));) {
        if (!is_checkpoint_part(entry->d_name))
            continue;
        TRY_DONE(file_join(folder, entry->d_name, path));
        TRY_DONE(file_remove(path));
    }
done:
    closedir(list);
    return status;
}

Status rundir_reset(RunDir *dir) {
    static const char *const names[] = {"best.h5", "result.json", "metrics.jsonl", "autotune.txt",
                                        "crash-fired"};
    char path[4096];
    TRY(rundir_check(dir));
    TRY(remove_checkpoints(dir->checkpoints));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY(file_join(dir->path, names[i], path));
        TRY(file_remove(path));
    }
    TRY(file_sync_folder(dir->checkpoints));
    return file_sync_folder(dir->path);
}

bool rundir_has_checkpoints(const RunDir *dir) {
    bool found = false;
    DIR *list = opendir(dir->checkpoints);
    if (!list)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(list));) {
        const char *suffix = strstr(entry->d_name, ".h5");
        found = is_checkpoint_part(entry->d_name) &&
                (strcmp(suffix, ".h5") == 0 || strcmp(suffix, ".h5.bad") == 0);
    }
    closedir(list);
    return found;
}

/* A new file with what the old one holds. */
static Status renew(const char *folder, const char *name, const char *path) {
    char *text = NULL;
    size_t size = 0;
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &text, &size));
    Status status = file_replace(folder, name, text, size);
    free(text);
    return status;
}

Status rundir_open_log(RunDir *dir) {
    char path[4096];
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "log.txt", path));
    TRY(renew(dir->path, "log.txt", path));
    dir->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (dir->log_fd < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", path, strerror(errno));
    return ST_OK;
}

Status rundir_write_config(RunDir *dir, const char *text) {
    TRY(rundir_check(dir));
    return file_replace(dir->path, "config.yaml", text, strlen(text));
}

Status rundir_write_autotune(RunDir *dir, const char *text) {
    char path[4096];
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "autotune.txt", path));
    if (!text)
        return file_remove(path);
    return file_replace(dir->path, "autotune.txt", text, strlen(text));
}

Status rundir_read_autotune(const RunDir *dir, char **text) {
    char path[4096];
    size_t size;
    *text = NULL;
    TRY(file_join(dir->path, "autotune.txt", path));
    return access(path, F_OK) == 0 ? file_load(path, text, &size) : ST_OK;
}

Status rundir_link_best(RunDir *dir, const char *file_name) {
    char path[4096], temporary[4096], target[512];
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "best.h5", path));
    TRY(file_join(dir->path, "best.h5.tmp", temporary));
    snprintf(target, sizeof target, "checkpoints/%s", file_name);
    TRY(file_remove(temporary));
    if (symlink(target, temporary) != 0 || rename(temporary, path) != 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be linked to %s: %s", path, target, strerror(errno));
    return file_sync_folder(dir->path);
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
    if (fsync(fd) != 0)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", marker, strerror(errno));
    close(fd);
    if (status == ST_OK)
        status = file_sync_folder(path);
    *first = status == ST_OK;
    return status;
}
