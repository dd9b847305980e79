/* log: lines for people, one write(2) each. See log.h.
 *
 * The only global state of the library beside the error records: who speaks, how much, and where
 * to. */
#include "lockstep/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"

enum { LINE_MAX_BYTES = 4096 };

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
    bool ended; /* log_fatal has spoken */
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

/* `text` is one line without newline; the lock is held. */
static void emit(LogLevel level, const char *text) {
    char line[LINE_MAX_BYTES + 64];
    if (level >= logger.level) {
        int fd = level >= LOG_WARN ? STDERR_FILENO : STDOUT_FILENO;
        int n = snprintf(line, sizeof line, "%s%s\n", level == LOG_WARN ? "warning: " : "", text);
        if (logger.before)
            logger.before(logger.context);
        put(fd, line, (size_t)n);
        if (logger.after)
            logger.after(logger.context);
    }
    if (logger.fd >= 0 && logger.lost && logger.lost(logger.lost_context))
        logger.fd = -1;
    if (logger.fd >= 0) {
        static const char *const word[] = {"debug", "info", "warning", "error"};
        char now[21];
        clock_iso8601(now);
        int n = snprintf(line, sizeof line, "%s %s: %s\n", now, word[level], text);
        put(logger.fd, line, (size_t)n);
    }
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

void log_fatal(int64_t step, const char *message) {
    char text[LINE_MAX_BYTES];
    char where[128];
    pthread_mutex_lock(&logger.lock);
    if (!logger.ended) {
        logger.ended = true;
        say_where(where, sizeof where, step);
        snprintf(text, sizeof text, "lockstep: %s%s", where, message);
        emit(LOG_ERROR, text);
    }
    pthread_mutex_unlock(&logger.lock);
}
