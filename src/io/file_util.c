/* file_util: whole files in and out, durably. See file_util.h. */
#include "file_util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/file.h"
#include "lockstep/job.h"

#define FAIL_PATH(path, what)                                                                      \
    FAIL(ST_CHECKPOINT, "%s: cannot be %s: %s", (path), (what), file_cause(errno))

Status file_join(const char *folder, const char *name, char out[4096]) {
    int n = snprintf(out, 4096, "%s/%s", folder, name);
    if (n < 0 || n >= 4096)
        return FAIL(ST_CHECKPOINT, "%.200s...: path too long; choose a shorter --out", folder);
    return ST_OK;
}

Status file_load(const char *path, char **bytes, size_t *size) {
    Status status = ST_OK;
    struct stat info;
    char *buffer = NULL;
    size_t have = 0, room = 0;
    int fd = -1;
    do { /* not to wait for whoever would write to a FIFO */
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return FAIL_PATH(path, "opened");
    if (fstat(fd, &info) != 0) {
        status = FAIL_PATH(path, "read");
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        status = FAIL(ST_CHECKPOINT, "%s: is not a regular file", path);
        goto done;
    }
    room = (size_t)info.st_size;
    buffer = malloc(room + 1);
    if (!buffer) {
        status = FAIL(ST_INTERNAL, "out of memory for the %zu bytes of %s", room, path);
        goto done;
    }
    while (have < room) {
        ssize_t n = read(fd, buffer + have, room - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = FAIL_PATH(path, "read");
            goto done;
        }
        if (n == 0)
            break;
        have += (size_t)n;
    }
    buffer[have] = '\0';
    *bytes = buffer;
    *size = have;
    buffer = NULL;
done:
    free(buffer);
    close(fd);
    return status;
}

Status file_write(int fd, const char *path, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL_PATH(path, "written");
        at += n;
        size -= (size_t)n;
    }
    return ST_OK;
}

int file_sync(int fd) {
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result;
}

Status file_create(const char *path, const void *bytes, size_t size) {
    int fd = file_open(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return FAIL_PATH(path, "created");
    Status status = file_write(fd, path, bytes, size);
    if (status == ST_OK && file_sync(fd) != 0)
        status = FAIL_PATH(path, "written");
    if (close(fd) != 0 && status == ST_OK)
        status = FAIL_PATH(path, "written");
    if (status != ST_OK)
        unlink(path);
    return status;
}

/* The job's number; 0 where there is none. */
static int64_t job_number(const Job *job) {
    return strtoll(job->id, NULL, 10);
}

void file_temporary_name(const char *name, char *out, size_t room) {
    char host[64] = "";
    Job job = job_now();
    gethostname(host, sizeof host - 1);
    snprintf(out, room, "%s.tmp.%ld.%" PRId64 ".%" PRId64 ".%s", name, (long)getpid(),
             job_number(&job), job.restart, host);
}

/* The process behind a temporary name. */
typedef struct Maker {
    long pid;
    int64_t job, restart;
    const char *host; /* borrowed from the name */
} Maker;

static bool maker_of(const char *name, Maker *maker) {
    int host_at = 0;
    const char *mark = strstr(name, ".tmp.");
    if (!mark ||
        sscanf(mark, ".tmp.%ld.%" SCNd64 ".%" SCNd64 ".%n", &maker->pid, &maker->job,
               &maker->restart, &host_at) != 3 ||
        host_at == 0)
        return false;
    maker->host = mark + host_at;
    return true;
}

bool file_is_temporary(const char *name) {
    Maker maker;
    return maker_of(name, &maker);
}

bool file_temporary_is_stale(const char *name) {
    char host[64] = "";
    Maker maker;
    Job job = job_now();
    if (!maker_of(name, &maker))
        return false;
    gethostname(host, sizeof host - 1);
    if (job_known(&job) && maker.job == job_number(&job) && maker.restart < job.restart)
        return true; /* wherever that process is, the directory is not its own any more */
    if (strcmp(maker.host, host) != 0)
        return false;
    return maker.pid == (long)getpid() || (kill((pid_t)maker.pid, 0) != 0 && errno == ESRCH);
}

Status file_sync_folder(const char *folder) {
    int fd = -1;
    do {
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return FAIL_PATH(folder, "opened");
    Status status = ST_OK;
    /* EINVAL: a file system that has no such notion keeps its names durable by itself. */
    if (file_sync(fd) != 0 && errno != EINVAL)
        status = FAIL_PATH(folder, "written");
    close(fd);
    return status;
}

/* Whether a file system lacks what was asked of it. */
static bool is_lack(int error) {
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

/* Renames, by means that never replace: RENAME_NOREPLACE, where a file system lacks that (some NFS)
 * a hard link. 0, or the error; ENOTSUP where it has neither (FAT, some FUSE). */
static int rename_guarded(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (!is_lack(errno))
        return errno;
    if (link(from, to) == 0)
        return unlink(from) == 0 ? 0 : errno;
    return is_lack(errno) || errno == EPERM || errno == EMLINK ? ENOTSUP : errno;
}

/* Whether these are two names of one file: a link whose maker died before it removed the first. */
static bool is_half_renamed(const char *from, const char *to) {
    struct stat a, b;
    return lstat(from, &a) == 0 && lstat(to, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino && a.st_nlink > 1;
}

bool file_can_rename_new(const char *from, const char *to) {
    return rename_guarded(from, to) != ENOTSUP;
}

Status file_rename_new(const char *from, const char *to, bool *exists) {
    struct stat info;
    *exists = false;
    int error = rename_guarded(from, to);
    if (error == EEXIST && is_half_renamed(from, to))
        return file_remove(from);
    if (error == ENOTSUP) { /* only the owner file keeps others from coming in between */
        error = lstat(to, &info) == 0 ? EEXIST : errno == ENOENT ? 0 : errno;
        if (error == 0 && rename(from, to) != 0)
            error = errno;
    }
    *exists = error == EEXIST;
    errno = error;
    return error == 0 || *exists ? ST_OK : FAIL_PATH(to, "put in place");
}

/* Makes the name of a new folder durable. */
static Status sync_parent(const char *path) {
    char parent[4096];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return file_sync_folder(".");
    snprintf(parent, sizeof parent, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    return file_sync_folder(parent);
}

Status file_make_folders(const char *path, const char *option) {
    char part[4096];
    int n = snprintf(part, sizeof part, "%s", path);
    if (n <= 0 || n >= (int)sizeof part)
        return FAIL(ST_CHECKPOINT, "%s: the path is empty or too long", option);
    for (char *c = part + 1;; c++) {
        char keep = *c;
        if (keep != '/' && keep != '\0')
            continue;
        *c = '\0';
        if (mkdir(part, 0777) == 0)
            TRY(sync_parent(part));
        else if (errno != EEXIST)
            return FAIL(ST_CHECKPOINT, "%s: cannot be made: %s; choose another %s", part,
                        strerror(errno), option);
        *c = keep;
        if (keep == '\0')
            return ST_OK;
    }
}

Status file_remove(const char *path) {
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        return FAIL_PATH(path, "removed");
    return ST_OK;
}
