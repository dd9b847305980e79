/* owner: the owner file. See owner.h.
 *
 * Who may take a directory:
 *
 *   the lock is free        anybody, but for the same job before a restart (a left-over of it)
 *   the lock is another's   the same job with a higher restart count; whoever sees the holder dead
 *   there are no locks      these two, and anybody once the holder has noted its end
 *
 * A process counts as dead only where this kernel would know it: same boot, same pid namespace.
 * Taking is one rename, so there is never a moment without an owner, and the old process's lock,
 * which is on the file that was replaced, keeps nobody out any more. */
#include "owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_util.h"
#include "lockstep/clock.h"
#include "lockstep/comm.h"
#include "lockstep/file.h"
#include "lockstep/job.h"
#include "lockstep/log.h"

enum { TAKE_ATTEMPTS = 20, ABANDONED_S = 60 };
#define TEMPORARY "owner.tmp."

/* What the file says. A zeroed one: nobody. */
typedef struct Holder {
    char host[64];
    long pid;
    Job job;
    char since[32];
    char boot[64], space[64]; /* this boot of the kernel; the pid namespace */
    int64_t started;          /* clock ticks between boot and the start of the process */
    bool ended;
} Holder;

typedef enum LockState { LOCK_MINE, LOCK_OTHERS, LOCK_NONE } LockState;

enum { STAT_PARENT = 4, STAT_START = 22 };

/* A number of /proc/PID/stat, or -1. The word behind the last ')' is field 3. */
static int64_t stat_of(long pid, int wanted) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < wanted; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : -1;
}

static Holder myself(void) {
    Holder me = {.boot = "unknown", .space = "unknown", .job = job_now()};
    if (gethostname(me.host, sizeof me.host - 1) != 0 || !me.host[0])
        snprintf(me.host, sizeof me.host, "unknown");
    me.pid = (long)getpid();
    clock_iso8601(me.since);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, me.boot, sizeof me.boot - 1);
        me.boot[n > 0 ? n : 0] = '\0';
        me.boot[strcspn(me.boot, "\n")] = '\0';
        close(fd);
    }
    ssize_t n = readlink("/proc/self/ns/pid", me.space, sizeof me.space - 1);
    if (n > 0)
        me.space[n] = '\0';
    me.started = stat_of(me.pid, STAT_START);
    return me;
}

static int write_text(const Holder *me, char *text) {
    return snprintf(text, OWNER_TEXT_MAX,
                    "host %s\npid %ld\njob %s\nrestart %" PRId64 "\nsince %s\nboot %s\nspace %s\n"
                    "started %" PRId64 "\n",
                    me->host, me->pid, me->job.id, me->job.restart, me->since, me->boot, me->space,
                    me->started);
}

/* False for a text that names nobody: a new or torn file. */
static bool read_text(const char *text, Holder *holder) {
    char word[8] = "";
    memset(holder, 0, sizeof *holder);
    int n = sscanf(text,
                   "host %63s pid %ld job %63s restart %" SCNd64
                   " since %31s boot %63s space %63s started %" SCNd64 " %7s",
                   holder->host, &holder->pid, holder->job.id, &holder->job.restart, holder->since,
                   holder->boot, holder->space, &holder->started, word);
    holder->ended = strcmp(word, "ended") == 0;
    return n >= 8;
}

/* "process 123 on node2 since 2026-01-01T00:00:00Z (job 7, restart 1)" */
static void describe(const Holder *holder, char *out, size_t room) {
    char job[128] = "";
    if (strcmp(holder->job.id, "none") != 0)
        snprintf(job, sizeof job, " (job %s, restart %" PRId64 ")", holder->job.id,
                 holder->job.restart);
    snprintf(out, room, "process %ld on %s since %s%s", holder->pid, holder->host, holder->since,
             job);
}

/* Whether the holder's number means the same process to `me`. */
static bool same_system(const Holder *holder, const Holder *me) {
    return strcmp(me->boot, "unknown") != 0 && strcmp(holder->boot, me->boot) == 0 &&
           strcmp(me->space, "unknown") != 0 && strcmp(holder->space, me->space) == 0;
}

static bool seen_dead(const Holder *holder, const Holder *me) {
    if (!same_system(holder, me))
        return false;
    if (kill((pid_t)holder->pid, 0) != 0 && errno == ESRCH)
        return true;
    int64_t started = stat_of(holder->pid, STAT_START);
    return started >= 0 && started != holder->started; /* its number is another's now */
}

static Status in_use(const char *folder, const Holder *holder, bool known, const Holder *me) {
    char who[384] = "another run, which begins at this moment";
    bool twin = !known || (same_system(holder, me) &&
                           stat_of(holder->pid, STAT_PARENT) == (int64_t)getppid());
    if (known)
        describe(holder, who, sizeof who);
    /* Ranks whose launcher's variables were cleared are runs of one rank each. */
    if (twin && !comm_launched())
        return FAIL(ST_CHECKPOINT,
                    "%s is in use by %s%s: if both were to be ranks of one run, a launch has gone "
                    "wrong, for the launcher's variables did not get here (env -i, sudo?); else "
                    "wait for its end or choose another --out",
                    folder, who, known ? ", started by the same process as this one" : "");
    return FAIL(ST_CHECKPOINT, "%s is in use by %s; wait for its end or choose another --out",
                folder, who);
}

/* Whether `me` may take the directory from what `text` says. */
static Status may_take(const char *folder, const char *text, const Holder *me, LockState lock) {
    Holder holder;
    char who[384];
    bool known = read_text(text, &holder);
    bool restarted =
        known && job_same(&holder.job, &me->job) && me->job.restart > holder.job.restart;
    bool dead = known && seen_dead(&holder, me);
    if (restarted && !dead && lock == LOCK_OTHERS) {
        describe(&holder, who, sizeof who);
        log_warn("%s is taken over from %s, which may still be alive where this job ran before",
                 folder, who);
    }
    if (restarted || dead)
        return ST_OK;
    if (lock == LOCK_OTHERS)
        return in_use(folder, &holder, known, me);
    if (!known || holder.ended)
        return ST_OK;
    if (job_same(&holder.job, &me->job) && me->job.restart < holder.job.restart) {
        describe(&holder, who, sizeof who);
        return FAIL(ST_CHECKPOINT,
                    "%s belongs to %s; this process is of restart %" PRId64
                    ", a left-over that must not write there",
                    folder, who, me->job.restart);
    }
    if (lock == LOCK_MINE)
        return ST_OK;
    describe(&holder, who, sizeof who);
    return FAIL(ST_CHECKPOINT,
                "%s is in use by %s, or was when that died: its file system has no locks to tell; "
                "if that process is gone remove %s/owner, else choose another --out",
                folder, who, folder);
}

static Status try_lock(int fd, const char *path, LockState *state) {
    *state = LOCK_MINE;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return ST_OK;
    *state = LOCK_OTHERS;
    if (errno == EWOULDBLOCK)
        return ST_OK;
    *state = LOCK_NONE;
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
        return ST_OK;
    return FAIL(ST_CHECKPOINT, "%s: cannot be locked: %s", path, strerror(errno));
}

/* At most OWNER_TEXT_MAX - 1 bytes of an open file. */
static bool load(int fd, char *text) {
    ssize_t n = pread(fd, text, OWNER_TEXT_MAX - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static Status make_mine(const char *folder, const char *path, const Holder *me, char *text,
                        int *fd) {
    char name[256], temporary[4096];
    LockState lock;
    Status status = ST_OK;
    snprintf(name, sizeof name, TEMPORARY "%ld.%s", me->pid, me->host);
    TRY(file_join(folder, name, temporary));
    int mine = file_open(temporary, O_RDWR | O_CREAT | O_TRUNC);
    if (mine < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be created: %s; choose another --out", temporary,
                    file_cause(errno));
    TRY_DONE(file_write(mine, temporary, text, (size_t)write_text(me, text)));
    TRY_DONE(try_lock(mine, temporary, &lock));
    if (fsync(mine) != 0 || rename(temporary, path) != 0) {
        status = FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", path, strerror(errno));
        goto done;
    }
    TRY_DONE(file_sync_folder(folder));
    *fd = mine;
    return ST_OK;
done:
    unlink(temporary);
    close(mine);
    return status;
}

/* Removes what those left who died between making their file and naming it, wherever they ran: the
 * lock on it went with them. A living one has not taken its lock yet at most for an instant, so a
 * file of the last minute, by the file system's clock, is left alone. */
static void remove_abandoned(const char *folder, int mine) {
    struct stat now, info;
    char path[4096];
    DIR *list = fstat(mine, &now) == 0 ? opendir(folder) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (strncmp(entry->d_name, TEMPORARY, strlen(TEMPORARY)) != 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            continue;
        int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
            now.st_mtime - info.st_mtime > ABANDONED_S && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlink(path);
        close(fd);
    }
    if (list)
        closedir(list);
}

/* One attempt; *again where the file was replaced while it was looked at. */
static Status attempt(const char *folder, const char *path, char *text, int *fd, bool *again) {
    struct stat opened, named;
    Holder me = myself();
    LockState lock;
    Status status = ST_OK;
    *again = false;
    int old = file_open(path, O_RDWR | O_CREAT);
    if (old < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s; choose another --out", path,
                    file_cause(errno));
    TRY_DONE(try_lock(old, path, &lock));
    if (fstat(old, &opened) != 0 || stat(path, &named) != 0 || opened.st_ino != named.st_ino ||
        opened.st_dev != named.st_dev || !load(old, text)) {
        *again = true;
        goto done;
    }
    if (lock == LOCK_NONE)
        log_warn("%s: the file system has no locks; only the owner file keeps a second run out",
                 folder);
    TRY_DONE(may_take(folder, text, &me, lock));
    TRY_DONE(make_mine(folder, path, &me, text, fd));
    remove_abandoned(folder, *fd);
done:
    close(old);
    return status;
}

Status owner_take(const char *folder, char *text, int *fd) {
    char path[4096];
    TRY(file_join(folder, "owner", path));
    for (int i = 0; i < TAKE_ATTEMPTS; i++) {
        bool again;
        TRY(attempt(folder, path, text, fd, &again));
        if (!again)
            return ST_OK;
    }
    return FAIL(ST_CHECKPOINT,
                "%s: other processes keep taking this run directory; choose another "
                "--out",
                folder);
}

/* What the file says now; opened by name each time, so that a file system of another host is asked.
 */
static Ownership look(const char *folder, const char *mine, char *text) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/owner", folder) >= (int)sizeof path)
        return OWNER_UNKNOWN;
    text[0] = '\0';
    int fd = file_open(path, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? OWNER_OTHER : OWNER_UNKNOWN;
    bool loaded = load(fd, text);
    int error = errno;
    close(fd);
    errno = error;
    if (!loaded)
        return error == ESTALE ? OWNER_OTHER : OWNER_UNKNOWN;
    return strcmp(text, mine) == 0 ? OWNER_SELF : OWNER_OTHER;
}

Ownership owner_look(const char *folder, const char *text) {
    char now[OWNER_TEXT_MAX];
    return look(folder, text, now);
}

Status owner_check(const char *folder, const char *text) {
    char now[OWNER_TEXT_MAX], who[384];
    Holder holder;
    switch (look(folder, text, now)) {
    case OWNER_SELF:
        return ST_OK;
    case OWNER_UNKNOWN:
        return FAIL(ST_CHECKPOINT, "%s/owner: cannot be read: %s", folder, file_cause(errno));
    case OWNER_OTHER:
        break;
    }
    if (!read_text(now, &holder))
        return FAIL(ST_CHECKPOINT,
                    "%s/owner is gone: the run directory was taken from this process, which stops "
                    "and writes nothing more there",
                    folder);
    describe(&holder, who, sizeof who);
    return FAIL(ST_CHECKPOINT,
                "%s belongs to %s now; this process is no longer its owner, stops, and writes "
                "nothing more there",
                folder, who);
}

RunHolder owner_life(const char *folder) {
    char text[OWNER_TEXT_MAX];
    Holder holder, me = myself();
    if (look(folder, "", text) == OWNER_UNKNOWN || !read_text(text, &holder) || holder.ended)
        return HOLDER_NONE;
    if (seen_dead(&holder, &me))
        return HOLDER_NONE;
    bool here = strcmp(me.boot, holder.boot) == 0 && strcmp(me.space, holder.space) == 0;
    return here ? HOLDER_ALIVE : HOLDER_AWAY;
}

void owner_release(int fd) {
    static const char ended[] = "ended\n";
    /* Only file systems without locks need the note: where it cannot be written, the next run
     * there says what to do. */
    if (lseek(fd, 0, SEEK_END) < 0 || write(fd, ended, sizeof ended - 1) < 0)
        log_debug("the owner file could not be marked as ended: %s", strerror(errno));
    close(fd);
}
