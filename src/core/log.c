/* log: lines for people, one write(2) each. See log.h.
 *
 * Global state, as the error records and the clock are: who speaks, how much, and where to.
 *
 * No line keeps the run. A stream that nobody reads is waited for once, and then loses lines until
 * it takes one again. The last line must come out and the process end though log.txt may be where
 * nothing comes back from, with another thread in it, the lock in hand: so it waits for the lock,
 * and then for the file, a second each. */
#include "lockstep/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/streams.h"
#include "lockstep/thread.h"

enum { LINE_MAX_BYTES = 4096, PATIENCE_S = 1 };

/* STDOUT_FILENO and STDERR_FILENO. */
enum { STREAMS = 3 };

static struct {
    pthread_mutex_t lock;
    int rank, size, fd;
    char host[64];
    LogLevel level;
    void (*before)(void *);
    void (*after)(void *);
    void *context;
    bool (*lost)(const void *);
    const void *lost_context;
    int64_t missed[STREAMS]; /* lines that it has not taken since it took the last one */
    bool ended;              /* log_fatal has spoken */
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .size = 1, .fd = -1, .level = LOG_INFO};

void log_identify(int rank, int size, const char *host) {
    pthread_mutex_lock(&logger.lock);
    logger.rank = rank;
    logger.size = size;
    snprintf(logger.host, sizeof logger.host, "%s", host);
    pthread_mutex_unlock(&logger.lock);
}

void log_set_level(LogLevel level) {
    pthread_mutex_lock(&logger.lock);
    logger.level = level;
    pthread_mutex_unlock(&logger.lock);
}

void log_to_file(int fd, bool (*lost)(const void *), const void *context) {
    pthread_mutex_lock(&logger.lock);
    logger.fd = fd;
    logger.lost = lost;
    logger.lost_context = context;
    pthread_mutex_unlock(&logger.lock);
}

void log_set_hook(void (*before)(void *), void (*after)(void *), void *context) {
    pthread_mutex_lock(&logger.lock);
    logger.before = before;
    logger.after = after;
    logger.context = context;
    pthread_mutex_unlock(&logger.lock);
}

/* A line that cannot be written has nowhere else to go. */
static void put(int fd, const char *text, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = write(fd, text, bytes);
        if (n <= 0)
            return;
        text += n;
        bytes -= (size_t)n;
    }
}

/* Says first how many lines are missing before this one. */
static void say(int fd, const char *line, size_t bytes) {
    int64_t *missed = &logger.missed[fd];
    char note[96];
    int n = snprintf(note, sizeof note, "(%" PRId64 " lines are missing here: nobody read them)\n",
                     *missed);
    if (*missed > 0 && streams_write(fd, note, (size_t)n, 0))
        *missed = 0;
    if (*missed > 0 || !streams_write(fd, line, bytes, PATIENCE_S))
        ++*missed;
}

/* `text` is one line without newline; the lock is held. */
static void emit_to_stream(LogLevel level, const char *text) {
    char line[LINE_MAX_BYTES + 64];
    if (level < logger.level)
        return;
    int fd = level >= LOG_WARN ? STDERR_FILENO : STDOUT_FILENO;
    int n = snprintf(line, sizeof line, "%s%s\n", level == LOG_WARN ? "warning: " : "", text);
    if (logger.before)
        logger.before(logger.context);
    say(fd, line, (size_t)n);
    if (logger.after)
        logger.after(logger.context);
}

static void put_in_file(int fd, LogLevel level, const char *text) {
    static const char *const word[] = {"debug", "info", "warning", "error"};
    char line[LINE_MAX_BYTES + 64], now[21];
    clock_iso8601(now);
    int n = snprintf(line, sizeof line, "%s %s: %s\n", now, word[level], text);
    put(fd, line, (size_t)n);
}

/* `text` is one line without newline; the lock is held. */
static void emit(LogLevel level, const char *text) {
    emit_to_stream(level, text);
    if (logger.fd >= 0 && logger.lost && logger.lost(logger.lost_context))
        logger.fd = -1;
    if (logger.fd >= 0)
        put_in_file(logger.fd, level, text);
}

void log_line(LogLevel level, const char *format, ...) {
    char text[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&logger.lock);
    if (logger.rank == 0)
        emit(level, text);
    pthread_mutex_unlock(&logger.lock);
}

/* "[host rank 3/8 step 1204] ", or "" for a run of one rank that has not begun. */
static void say_where(char *where, size_t bytes, int64_t step) {
    char at[32] = "";
    if (step >= 0)
        snprintf(at, sizeof at, " step %" PRId64, step);
    where[0] = '\0';
    if (logger.size > 1 || step >= 0)
        snprintf(where, bytes, "[%s rank %d/%d%s] ", logger.host, logger.rank, logger.size, at);
}

void log_rank(const char *format, ...) {
    char message[LINE_MAX_BYTES - 256];
    char text[LINE_MAX_BYTES];
    char where[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&logger.lock);
    say_where(where, sizeof where, -1);
    snprintf(text, sizeof text, "%s%s", where, message);
    emit(LOG_WARN, text);
    pthread_mutex_unlock(&logger.lock);
}

/* The last line, on its way to log.txt. Not of log_fatal's frame: that may not wait for its end. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    int fd;
    char text[LINE_MAX_BYTES];
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *put_last(void *unused) {
    (void)unused;
    put_in_file(last.fd, LOG_ERROR, last.text);
    pthread_mutex_lock(&last.lock);
    last.is_done = true;
    pthread_cond_signal(&last.done);
    pthread_mutex_unlock(&last.lock);
    return NULL;
}

/* On a thread of its own, which may stay in it. Whoever has taken the directory has a log.txt of
 * his own: there is no need to ask. */
static void keep_last(const char *text) {
    pthread_t thread;
    Deadline deadline = deadline_after(PATIENCE_S);
    if (logger.fd < 0 || cond_init_monotonic(&last.done) != ST_OK)
        return;
    last.fd = logger.fd;
    snprintf(last.text, sizeof last.text, "%s", text);
    if (pthread_create(&thread, NULL, put_last, NULL) != 0)
        return;
    pthread_detach(thread);
    pthread_mutex_lock(&last.lock);
    while (!last.is_done && !deadline_passed(&deadline))
        cond_wait_before(&last.done, &last.lock, &deadline);
    if (!last.is_done)
        logger.fd = -1;
    pthread_mutex_unlock(&last.lock);
}

void log_fatal(int64_t step, const char *message) {
    char text[LINE_MAX_BYTES];
    char where[128];
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    bool locked = pthread_mutex_timedlock(&logger.lock, &until) == 0;
    if (!logger.ended) {
        logger.ended = true;
        say_where(where, sizeof where, step);
        snprintf(text, sizeof text, "lockstep: %s%s", where, message);
        emit_to_stream(LOG_ERROR, text);
        if (locked)
            keep_last(text);
    }
    if (locked)
        pthread_mutex_unlock(&logger.lock);
}
