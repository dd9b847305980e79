/* log: everything lockstep says. Rank 0 speaks; the others only where they must (log_fatal).
 *
 * Lines go to stdout (info) or stderr (warnings, errors) and, once log_to_file was called, also to
 * the run's log.txt. One write(2) a line, so that lines of ranks never mix. A stream that nobody
 * reads for a second loses lines, and says how many when it is read again. Local, thread-safe. */
#ifndef LOCKSTEP_LOG_H
#define LOCKSTEP_LOG_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

/* Says who speaks: `rank` of `size` on `host`. Before this call the process counts as rank 0 of 1.
 */
void log_identify(int rank, int size, const char *host);

/* Lines below `level` are not printed (they still go to log.txt). Default LOG_INFO. */
void log_set_level(LogLevel level);

/* Appends all later lines to the open file descriptor `fd` as well, time-stamped; -1 stops that.
 * The caller keeps the descriptor. `lost` (may be NULL) is asked before each line: once it says
 * true, nothing more goes there. It must not log. */
void log_to_file(int fd, bool (*lost)(const void *), const void *context);

/* One line, without a newline at the end of `format`; dropped on ranks other than 0. */
void log_line(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)

/* A line that is printed on whatever rank calls it, as `[host rank 3/8] ...`: for events of one
 * rank that others cannot see. On stderr and in log.txt. */
void log_rank(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The one line a failing run prints, on whatever rank calls it: `lockstep: [host rank 3/8 step
 * 1204] message` on stderr and in log.txt. `step` < 0 leaves the step out. The first call of a
 * process counts: where two threads find the end at once, there is one line still. */
void log_fatal(int64_t step, const char *message);

/* Called before and after a line is written to a terminal, so that a progress bar can step aside.
 * NULL removes it. */
void log_set_hook(void (*before)(void *), void (*after)(void *), void *context);

#ifdef __cplusplus
}
#endif
#endif
