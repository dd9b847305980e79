/* owner: the owner file. See owner.h.
 *
 * Who may take a directory whose holder has not noted its end:
 *
 *   the lock is another's    the same job with a higher restart count; whoever sees the holder dead
 *   the lock is free, and    anybody, but for the same job before a restart (a left-over of it),
 *   the holder had it of     and while the holder is seen to live
 *   this kernel
 *   the lock is free, or     these two, and anybody once the holder's heartbeat has stood still for
 *   there are none, and it   SILENT_BEATS of its periods. For nobody can say of a free lock that
 *   is not seen from here    the holder's host would have had it seen here: locks may be of one
 *                            node (localflock, nolock), by how either has mounted the file system.
 *                            Of a holder without one (an older version's) nobody knows: refused.
 *
 * The heartbeat is watched for a change, on this host's clock alone. That it stands still does not
 * say that the holder is dead (it may be stopped, or its disk hang): should it come back, it finds
 * that it is no longer the owner.
 * A process is seen only where this kernel knows it: same boot, same pid namespace.
 * Taking is one rename, so there is never a moment without an owner, and the old process's lock,
 * which is on the file that was replaced, keeps nobody out any more; its heartbeat beats there. */
#include "owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_util.h"
#include "holder.h"
#include "lockstep/clock.h"
#include "lockstep/comm.h"
#include "lockstep/file.h"
#include "lockstep/log.h"

enum { TAKE_ATTEMPTS = 20, ABANDONED_S = 60, SILENT_BEATS = 4, LOOKS_A_BEAT = 10 };
static const double BEATS_EVERY_S = 10; /* until the first beat says it */
static const double BEATS_MAX_S = 600;  /* of --heartbeat: what is more was never written by it */
#define TEMPORARY "owner.tmp."

typedef enum LockState { LOCK_MINE, LOCK_OTHERS, LOCK_NONE } LockState;

static Status in_use(const char *folder, const Holder *holder, bool known, const Holder *me) {
    char who[HOLDER_NAME_MAX] = "another run, which begins at this moment";
    bool twin = !known || holder_is_twin(holder, me);
    if (known)
        holder_describe(holder, who);
    /* Ranks whose launcher's variables were cleared are runs of one rank each. */
    if (twin && !comm_launched())
        return FAIL(ST_CHECKPOINT,
                    "%s is in use by %s%s: if both were to be ranks of one run, a launch has gone "
                    "wrong, for the launcher's variables did not get here (env -i, sudo?); else "
                    "wait for its end or choose another --out",
                    folder, who, known ? ", started by the same process as this one" : "");
    if (known && !holder_same_kernel(holder, me))
        return FAIL(ST_CHECKPOINT,
                    "%s is in use by %s; wait for its end or choose another --out (if that host is "
                    "gone for good, remove %s/owner)",
                    folder, who, folder);
    return FAIL(ST_CHECKPOINT, "%s is in use by %s; wait for its end or choose another --out",
                folder, who);
}

/* Whether `me` may take the directory from what `text` says. `over`: see owner_take. *watch: once
 * the heartbeat has stood still. */
static Status may_take(const char *folder, const char *text, const char *over, const Holder *me,
                       LockState lock, bool *watch) {
    Holder holder;
    char who[HOLDER_NAME_MAX];
    bool known = holder_read(text, &holder);
    Life life = known ? holder_life(&holder, me) : LIFE_UNSEEN;
    bool restarted =
        known && job_same(&holder.job, &me->job) && me->job.restart > holder.job.restart;
    *watch = false;
    if (known && over[0] && strncmp(text, over, strlen(over)) == 0)
        return ST_OK;
    if (restarted && life != LIFE_DEAD && lock == LOCK_OTHERS) {
        holder_describe(&holder, who);
        log_warn("%s is taken over from %s, which may still be alive where this job ran before",
                 folder, who);
    }
    if (restarted || life == LIFE_DEAD)
        return ST_OK;
    if (lock == LOCK_OTHERS)
        return in_use(folder, &holder, known, me);
    if (!known || holder.ended)
        return ST_OK;
    if (job_same(&holder.job, &me->job) && me->job.restart < holder.job.restart) {
        holder_describe(&holder, who);
        return FAIL(ST_CHECKPOINT,
                    "%s belongs to %s; this process is of restart %" PRId64
                    ", a left-over that must not write there",
                    folder, who, me->job.restart);
    }
    if (life == LIFE_ALIVE)
        return in_use(folder, &holder, known, me);
    *watch = lock == LOCK_NONE || !holder_same_kernel(&holder, me);
    return ST_OK;
}

static bool is_lack(int error) {
    return error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

/* A lock of the open file, not of the process: of bytes, which more file systems share between
 * their nodes (GPFS does) than locks of files. */
static Status try_lock(int fd, const char *path, LockState *state) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int result;
    *state = LOCK_MINE;
    do { /* a signal may come between */
        result = fcntl(fd, F_OFD_SETLK, &whole);
        if (result != 0 && is_lack(errno))
            result = flock(fd, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return ST_OK;
    *state = LOCK_OTHERS;
    if (errno == EWOULDBLOCK || errno == EACCES)
        return ST_OK;
    *state = LOCK_NONE;
    if (is_lack(errno))
        return ST_OK;
    return FAIL(ST_CHECKPOINT, "%s: cannot be locked: %s", path, strerror(errno));
}

/* At most OWNER_TEXT_MAX - 1 bytes of an open file. */
static bool load(int fd, char *text) {
    ssize_t n;
    do {
        n = pread(fd, text, OWNER_TEXT_MAX - 1, 0);
    } while (n < 0 && errno == EINTR);
    text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static Status make_mine(const char *folder, const char *path, const Holder *me, char *text,
                        int *fd) {
    char name[256], temporary[4096], beat[OWNER_TEXT_MAX];
    LockState lock;
    Status status = ST_OK;
    size_t size = (size_t)holder_write(me, text);
    size_t more = (size_t)holder_write_beat(0, BEATS_EVERY_S, beat);
    snprintf(name, sizeof name, TEMPORARY "%ld.%s", me->pid, me->host);
    TRY(file_join(folder, name, temporary));
    int mine = file_open(temporary, O_RDWR | O_CREAT | O_TRUNC);
    if (mine < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be created: %s; choose another --out", temporary,
                    file_cause(errno));
    TRY_DONE(file_write(mine, temporary, text, size));
    TRY_DONE(file_write(mine, temporary, beat, more));
    TRY_DONE(try_lock(mine, temporary, &lock));
    if (file_sync(mine) != 0 || rename(temporary, path) != 0) {
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
    LockState lock;
    DIR *list = fstat(mine, &now) == 0 ? opendir(folder) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (strncmp(entry->d_name, TEMPORARY, strlen(TEMPORARY)) != 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            continue;
        int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            continue;
        bool old = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
                   now.st_mtime - info.st_mtime > ABANDONED_S;
        if (old && try_lock(fd, path, &lock) != ST_OK)
            status_clear(); /* it stays */
        else if (old && lock == LOCK_MINE)
            unlink(path);
        close(fd);
    }
    if (list)
        closedir(list);
}

typedef enum Outcome {
    TAKEN,
    REPLACED, /* while it was looked at: to be tried again */
    UNSEEN    /* text[] names a process whose heartbeat has to be watched first */
} Outcome;

static Status attempt(const char *folder, const char *path, const char *over, char *text, int *fd,
                      Outcome *outcome) {
    struct stat opened, named;
    Holder me = holder_self();
    LockState lock;
    bool watch;
    Status status = ST_OK;
    *outcome = REPLACED;
    int old = file_open(path, O_RDWR | O_CREAT);
    if (old < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s; choose another --out", path,
                    file_cause(errno));
    TRY_DONE(try_lock(old, path, &lock));
    if (fstat(old, &opened) != 0 || stat(path, &named) != 0 || opened.st_ino != named.st_ino ||
        opened.st_dev != named.st_dev || !load(old, text))
        goto done;
    TRY_DONE(may_take(folder, text, over, &me, lock, &watch));
    *outcome = UNSEEN;
    if (watch)
        goto done;
    if (lock == LOCK_NONE)
        log_warn("%s: the file system has no locks; only the owner file keeps a second run out",
                 folder);
    TRY_DONE(make_mine(folder, path, &me, text, fd));
    remove_abandoned(folder, *fd);
    *outcome = TAKEN;
done:
    close(old);
    return status;
}

/* What the file says now; SELF where that begins with `mine`. Opened by name each time, so that a
 * file system of another host is asked. */
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
    return strncmp(text, mine, strlen(mine)) == 0 ? OWNER_SELF : OWNER_OTHER;
}

/* Looks whether the heartbeat of the process that `seen` names goes on, from then on, until it must
 * have. still[OWNER_TEXT_MAX] is what the file said all the time; "" where it is another's now. */
static Status watch_beats(const char *folder, const char *seen, char *still) {
    char now[OWNER_TEXT_MAX], who[HOLDER_NAME_MAX];
    Holder holder, me = holder_self();
    holder_read(seen, &holder);
    holder_describe(&holder, who);
    if (holder.beats_every == 0)
        return FAIL(ST_CHECKPOINT,
                    "%s belongs to %s, which cannot be seen from here and, of an older lockstep, "
                    "has no heartbeat; where it is known to have ended, remove %s/owner, else wait "
                    "for its end or choose another --out",
                    folder, who, folder);
    bool sane = holder.beats_every > 0 && holder.beats_every <= BEATS_MAX_S;
    double period = sane ? holder.beats_every : BEATS_EVERY_S;
    log_info("%s belongs to %s, which cannot be seen from here: whether it lives shows within %g s",
             folder, who, SILENT_BEATS * period);
    Deadline end = deadline_after(SILENT_BEATS * period);
    for (bool last = false; !last;) {
        clock_sleep(period / LOOKS_A_BEAT);
        last = deadline_passed(&end); /* then one more look */
        if (look(folder, "", now) == OWNER_UNKNOWN)
            return FAIL(ST_CHECKPOINT, "%s/owner: cannot be read: %s", folder, file_cause(errno));
        if (strcmp(now, seen) == 0)
            continue;
        still[0] = '\0';
        bool same = holder_same(now, seen) && holder_read(now, &holder) && !holder.ended;
        return same ? in_use(folder, &holder, true, &me) : ST_OK;
    }
    log_warn("%s is taken from %s: its heartbeat stood still for %g s", folder, who,
             SILENT_BEATS * period);
    memcpy(still, seen, OWNER_TEXT_MAX);
    return ST_OK;
}

Status owner_take(const char *folder, const char *over, char *text, int *fd) {
    char path[4096], still[OWNER_TEXT_MAX];
    snprintf(still, sizeof still, "%s", over);
    TRY(file_join(folder, "owner", path));
    for (int i = 0; i < TAKE_ATTEMPTS; i++) {
        Outcome outcome;
        TRY(attempt(folder, path, still, text, fd, &outcome));
        if (outcome == TAKEN)
            return ST_OK;
        if (outcome == UNSEEN)
            TRY(watch_beats(folder, text, still));
    }
    return FAIL(ST_CHECKPOINT,
                "%s: other processes keep taking this run directory; choose another "
                "--out",
                folder);
}

Ownership owner_look(const char *folder, const char *text) {
    char now[OWNER_TEXT_MAX];
    return look(folder, text, now);
}

Status owner_check(const char *folder, const char *text) {
    char now[OWNER_TEXT_MAX], who[HOLDER_NAME_MAX];
    Holder holder;
    switch (look(folder, text, now)) {
    case OWNER_SELF:
        return ST_OK;
    case OWNER_UNKNOWN:
        return FAIL(ST_CHECKPOINT, "%s/owner: cannot be read: %s", folder, file_cause(errno));
    case OWNER_OTHER:
        break;
    }
    if (!holder_read(now, &holder))
        return FAIL(ST_CHECKPOINT,
                    "%s/owner is gone: the run directory was taken from this process, which stops "
                    "and writes nothing more there",
                    folder);
    holder_describe(&holder, who);
    return FAIL(ST_CHECKPOINT,
                "%s belongs to %s now; this process is no longer its owner, stops, and writes "
                "nothing more there",
                folder, who);
}

RunHolder owner_life(const char *folder) {
    char text[OWNER_TEXT_MAX];
    Holder holder, me = holder_self();
    if (look(folder, "", text) == OWNER_UNKNOWN || !holder_read(text, &holder) || holder.ended ||
        holder_life(&holder, &me) == LIFE_DEAD)
        return HOLDER_NONE;
    return holder_same_system(&holder, &me) ? HOLDER_ALIVE : HOLDER_AWAY;
}

Status owner_beat(int fd, const char *text, int64_t beat, double every) {
    char line[OWNER_TEXT_MAX];
    ssize_t n, size = holder_write_beat(beat, every, line);
    do {
        n = pwrite(fd, line, (size_t)size, (off_t)strlen(text));
    } while (n < 0 && errno == EINTR);
    if (n >= 0 && n < size)
        errno = ENOSPC; /* it tells no cause */
    if (n == size && file_sync(fd) == 0)
        return ST_OK;
    return FAIL(ST_CHECKPOINT, "the owner file's heartbeat cannot be written: %s", strerror(errno));
}

void owner_release(int fd) {
    static const char ended[] = "ended\n";
    /* Where it cannot be written, the next run on another host waits for the heartbeat. */
    if (lseek(fd, 0, SEEK_END) < 0 || write(fd, ended, sizeof ended - 1) < 0)
        log_debug("the owner file could not be marked as ended: %s", strerror(errno));
    close(fd);
}
