/* shim: a library for LD_PRELOAD that makes calls on files, and the clock, go wrong in lockstep.
 *
 *   FAULT_RULES  rules, a line each: "RANK CALLS PATH FIRST TIMES WHAT"
 *     RANK   the rank it is for; -1: all (without a launcher a process is rank 0)
 *     CALLS  names with commas between, of: open (to read), make (open to write), read, write,
 *            fsync, truncate, close, rename, link, symlink, unlink, mkdir, look (stat, access,
 *            readlink, opendir, statvfs), rename-new (which replaces nothing), lock, clock (the
 * time of day; PATH is then "clock")
 *     PATH   a pattern as fnmatch has it, of the absolute path; of a rename that of either name
 *     FIRST  the FIRST-th such call of a process is struck, counted from 1,
 *     TIMES  and so many from there on; 0: all
 *     WHAT   an errno's name    the call fails (close: and closes)
 *            short              read, write: half of it, and says so
 *            flip               read: one bit is wrong
 *            lost               fsync: EIO, and what was added to the file since the last one that
 *                               worked reads as zeros, as where pages that could not be written
 * were dropped
 *            ok                 says that it is done, and does nothing
 *            vanish             the file is removed before the call
 *            hang               never returns
 *            slow               takes 50 ms more
 *            kill, torn         SIGKILL before it; write: after half of it
 *            count              nothing
 *            SECONDS            clock: so much is added to the time
 *   FAULT_LOG    gets a line for each call that was struck: "TIME RANK PID CALL WHAT PATH", of the
 *                monotonic clock
 *
 * A process that gets SIGRTMIN + 1 ends with code 0, there and then. Nothing is done in programs of
 * another name than lockstep, as launchers, which the variables come by. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { PATH_BYTES = 4096, RULES_MAX = 16, DESCRIPTORS_MAX = 1024 };

typedef enum Verdict { GO_ON, FAILED, SHORT, FLIPPED, PRETENDED, TORN, LOST } Verdict;

typedef struct Rule {
    int rank;
    char calls[128], path[512], what[32];
    long first, times, seen;
} Rule;

static const struct {
    const char *name;
    int number;
} errors[] = {{"EIO", EIO},       {"ESTALE", ESTALE}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
              {"EINTR", EINTR},   {"ENOLCK", ENOLCK}, {"EPERM", EPERM},   {"EROFS", EROFS},
              {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EINVAL", EINVAL}, {"ENOENT", ENOENT}};

static const struct {
    const char *name;
    Verdict verdict;
} others[] = {
    {"short", SHORT}, {"flip", FLIPPED}, {"ok", PRETENDED}, {"torn", TORN}, {"lost", LOST}};

static Rule rules[RULES_MAX];
static int n_rules, my_rank;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void end_well(int number) {
    (void)number;
    _exit(0);
}

static void __attribute__((constructor)) read_rules(void) {
    char self[PATH_BYTES];
    ssize_t n = syscall(SYS_readlink, "/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    const char *name = strrchr(self, '/'), *text = getenv("FAULT_RULES");
    if (!name || strcmp(name, "/lockstep") != 0)
        return;
    const char *launched = getenv("OMPI_COMM_WORLD_RANK");
    my_rank = launched ? atoi(launched) : 0;
    signal(SIGRTMIN + 1, end_well);
    for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
        Rule *rule = &rules[n_rules];
        if (n_rules == RULES_MAX ||
            sscanf(text, "%d %127s %511s %ld %ld %31s", &rule->rank, rule->calls, rule->path,
                   &rule->first, &rule->times, rule->what) != 6) {
            fprintf(stderr, "shim: no rule: %s\n", text);
            _exit(99);
        }
        n_rules += rule->rank < 0 || rule->rank == my_rank;
    }
}

/* Whether `word` is one of a list with commas. */
static bool listed(const char *list, const char *word) {
    size_t length = strlen(word);
    for (; list; list = strchr(list, ','), list += list != NULL) {
        if (strncmp(list, word, length) == 0 && (list[length] == ',' || !list[length]))
            return true;
    }
    return false;
}

static void note(const char *call, const char *what, const char *path) {
    char line[PATH_BYTES + 128];
    struct timespec now;
    const char *name = getenv("FAULT_LOG");
    if (!name)
        return;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    int n = snprintf(line, sizeof line, "%ld.%09ld %d %ld %s %s %s\n", (long)now.tv_sec,
                     now.tv_nsec, my_rank, (long)getpid(), call, what, path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)n) != n)
        abort();
    syscall(SYS_close, fd);
}

/* The rule that strikes this call, or NULL. */
static const Rule *struck(const char *call, const char *path, const char *other) {
    const Rule *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < n_rules; i++) {
        Rule *rule = &rules[i];
        if (!listed(rule->calls, call) ||
            (fnmatch(rule->path, path, 0) != 0 && (!other || fnmatch(rule->path, other, 0) != 0)))
            continue;
        rule->seen++;
        if (rule->seen >= rule->first &&
            (rule->times == 0 || rule->seen < rule->first + rule->times))
            found = rule;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* In a call on the file where there is one, so that /proc shows which. */
static void __attribute__((noreturn)) hang(const char *path, int fd) {
    int again = fd >= 0 ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (again >= 0)
        syscall(SYS_flock, again, LOCK_EX);
    for (;;) {
        if (again < 0 || syscall(SYS_flock, fd, LOCK_EX) == 0)
            pause();
    }
}

/* What is to become of a call. FAILED: errno says how. */
static Verdict before(const char *call, const char *path, const char *other, int fd) {
    const Rule *rule = n_rules > 0 ? struck(call, path, other) : NULL;
    if (!rule)
        return GO_ON;
    const char *what = rule->what;
    note(call, what, path);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(what, errors[i].name) == 0) {
            errno = errors[i].number;
            return FAILED;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(what, others[i].name) == 0)
            return others[i].verdict;
    }
    if (strcmp(what, "hang") == 0)
        hang(path, fd);
    if (strcmp(what, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(what, "vanish") == 0)
        syscall(SYS_unlink, path);
    if (strcmp(what, "slow") == 0)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    return GO_ON;
}

static Verdict before_fd(const char *call, int fd, char path[PATH_BYTES]) {
    char link[64];
    if (n_rules == 0)
        return GO_ON;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlink, link, path, PATH_BYTES - 1);
    path[n > 0 ? n : 0] = '\0';
    return before(call, path, NULL, fd);
}

/* A function that takes a path, or an open file, and fails by -1. */
#define ON_PATH(call, type, failure, name, parameters, arguments, path, other)                     \
    type name parameters {                                                                         \
        Verdict verdict = before(call, path, other, -1);                                           \
        if (verdict == FAILED || verdict == PRETENDED)                                             \
            return verdict == FAILED ? failure : (type)0;                                          \
        return REAL(name) arguments;                                                               \
    }
#define ON_FILE(call, name, parameters, arguments)                                                 \
    int name parameters {                                                                          \
        char path[PATH_BYTES];                                                                     \
        Verdict verdict = before_fd(call, fd, path);                                               \
        if (verdict == FAILED || verdict == PRETENDED)                                             \
            return verdict == FAILED ? -1 : 0;                                                     \
        return REAL(name) arguments;                                                               \
    }

ON_PATH("rename", int, -1, rename, (const char *from, const char *to), (from, to), to, from)
ON_PATH(flags ? "rename-new" : "rename", int, -1, renameat2,
        (int at, const char *from, int other_at, const char *to, unsigned flags),
        (at, from, other_at, to, flags), to, from)
ON_PATH("link", int, -1, link, (const char *from, const char *to), (from, to), to, NULL)
ON_PATH("symlink", int, -1, symlink, (const char *target, const char *path), (target, path), path,
        NULL)
ON_PATH("unlink", int, -1, unlink, (const char *path), (path), path, NULL)
ON_PATH("unlink", int, -1, rmdir, (const char *path), (path), path, NULL)
ON_PATH("mkdir", int, -1, mkdir, (const char *path, mode_t mode), (path, mode), path, NULL)
ON_PATH("look", int, -1, stat, (const char *path, struct stat *out), (path, out), path, NULL)
ON_PATH("look", int, -1, lstat, (const char *path, struct stat *out), (path, out), path, NULL)
ON_PATH("look", int, -1, access, (const char *path, int mode), (path, mode), path, NULL)
ON_PATH("look", int, -1, statvfs, (const char *path, struct statvfs *out), (path, out), path, NULL)
ON_PATH("look", ssize_t, -1, readlink, (const char *path, char *out, size_t room),
        (path, out, room), path, NULL)
ON_PATH("look", DIR *, NULL, opendir, (const char *path), (path), path, NULL)
ON_FILE("truncate", ftruncate, (int fd, off_t size), (fd, size))
ON_FILE("look", fstat, (int fd, struct stat *out), (fd, out))

static off_t on_disk[DESCRIPTORS_MAX]; /* of a descriptor: bytes when it was opened, or at its last
                                        * fsync */

static off_t size_of(int fd) {
    struct stat file;
    return REAL(fstat)(fd, &file) == 0 ? file.st_size : 0;
}

/* By another descriptor: writes to one that appends go behind the end. */
static void lose(int fd, const char *path) {
    int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    for (off_t at = on_disk[fd], end = size_of(fd); at < end; at++) {
        if (again < 0 || syscall(SYS_pwrite64, again, "", 1, at) != 1)
            abort();
    }
    syscall(SYS_close, again);
}

int fsync(int fd) {
    char path[PATH_BYTES];
    Verdict verdict = before_fd("fsync", fd, path);
    bool known = fd < DESCRIPTORS_MAX;
    if (verdict == LOST && known) {
        lose(fd, path);
        errno = EIO;
    }
    if (verdict != GO_ON)
        return verdict == PRETENDED ? 0 : -1;
    int result = REAL(fsync)(fd);
    if (result == 0 && known)
        on_disk[fd] = size_of(fd);
    return result;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT);
    if (before(reads ? "open" : "make", path, NULL, -1) == FAILED)
        return -1;
    int fd = REAL(open)(path, flags, mode);
    if (!reads && fd >= 0 && fd < DESCRIPTORS_MAX)
        on_disk[fd] = size_of(fd);
    return fd;
}

int close(int fd) {
    char path[PATH_BYTES];
    bool failed = before_fd("close", fd, path) == FAILED;
    int error = errno, result = REAL(close)(fd);
    if (!failed)
        return result;
    errno = error;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    char path[PATH_BYTES];
    Verdict verdict = before_fd("write", fd, path);
    if (verdict == FAILED || verdict == PRETENDED)
        return verdict == FAILED ? -1 : (ssize_t)size;
    if (verdict == SHORT || verdict == TORN)
        size -= size / 2;
    ssize_t n = REAL(write)(fd, bytes, size);
    if (verdict == TORN)
        raise(SIGKILL);
    return n;
}

static ssize_t flipped(Verdict verdict, void *bytes, ssize_t n) {
    if (verdict == FLIPPED && n > 0)
        ((char *)bytes)[n / 2] ^= 4;
    return n;
}

ssize_t read(int fd, void *bytes, size_t size) {
    char path[PATH_BYTES];
    Verdict verdict = before_fd("read", fd, path);
    if (verdict == FAILED)
        return -1;
    size = verdict == SHORT ? size - size / 2 : size;
    return flipped(verdict, bytes, REAL(read)(fd, bytes, size));
}

ssize_t pread(int fd, void *bytes, size_t size, off_t at) {
    char path[PATH_BYTES];
    Verdict verdict = before_fd("read", fd, path);
    if (verdict == FAILED)
        return -1;
    size = verdict == SHORT ? size - size / 2 : size;
    return flipped(verdict, bytes, REAL(pread)(fd, bytes, size, at));
}

int flock(int fd, int how) {
    char path[PATH_BYTES];
    Verdict verdict = how & LOCK_UN ? GO_ON : before_fd("lock", fd, path);
    if (verdict == FAILED || verdict == PRETENDED)
        return verdict == FAILED ? -1 : 0;
    return REAL(flock)(fd, how);
}

/* Its third argument is a number or a pointer, and passed on as it came. */
int fcntl(int fd, int what, ...) {
    char path[PATH_BYTES];
    va_list arguments;
    va_start(arguments, what);
    void *more = va_arg(arguments, void *);
    va_end(arguments);
    bool locks =
        (what == F_SETLK || what == F_SETLKW || what == F_OFD_SETLK || what == F_OFD_SETLKW) &&
        ((struct flock *)more)->l_type != F_UNLCK;
    Verdict verdict = locks ? before_fd("lock", fd, path) : GO_ON;
    if (verdict == FAILED || verdict == PRETENDED)
        return verdict == FAILED ? -1 : 0;
    return REAL(fcntl)(fd, what, more);
}

/* What rules add to the time of day; the clock's rules strike from their first call on. */
static time_t ahead(void) {
    const Rule *rule = n_rules > 0 ? struck("clock", "clock", NULL) : NULL;
    static bool noted;
    if (rule && !noted) {
        noted = true;
        note("clock", rule->what, "clock");
    }
    return rule ? (time_t)atol(rule->what) : 0;
}

int clock_gettime(clockid_t which, struct timespec *out) {
    int result = (int)syscall(SYS_clock_gettime, which, out);
    if (result == 0 && which == CLOCK_REALTIME)
        out->tv_sec += ahead();
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
