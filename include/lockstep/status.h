/* Status: what every function that can fail returns, and the one error record of each thread.
 *
 * A Status is the process's exit code, so the way from a failure to `echo $?` is one cast. The
 * first failure of a thread records one sentence (what is wrong and what to do) and its place;
 * frames above it only add their place to the trace. Compute, loader and writer threads hand their
 * record to the main thread with status_take and status_put, so that main alone speaks.
 *
 * All functions here are Local and thread-safe. */
#ifndef LOCKSTEP_STATUS_H
#define LOCKSTEP_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum Status {
    ST_OK = 0,
    ST_INTERNAL = 1,   /* out of memory, or a broken invariant of lockstep itself */
    ST_USAGE = 2,      /* command line, configuration file, model text */
    ST_DATA = 3,       /* data set missing or damaged */
    ST_CHECKPOINT = 4, /* checkpoint or run directory unreadable, unwritable or in conflict */
    ST_DEVICE = 5,     /* no such device, or a compute library failed */
    ST_COMM = 6,       /* MPI or NCCL failed, or ranks disagree on what they run */
    ST_DEADLINE = 7,   /* a wait took longer than its deadline */
    ST_DIVERGED = 8,   /* a loss or gradient is NaN, infinite or beyond the exact sum's range */
    ST_LOST = 9,       /* ranks died, and the others may go on (comm_commit); as an exit code 6 */
    ST_STOPPED = 75    /* stopped by request after a checkpoint: start me again */
} Status;

enum { STATUS_MESSAGE_MAX = 1024, STATUS_TRACE_MAX = 512 };

/* The error record of one thread. A zeroed record means no error. */
typedef struct StatusRecord {
    Status status;
    char message[STATUS_MESSAGE_MAX]; /* one sentence, no newline */
    char trace[STATUS_TRACE_MAX];     /* "file:line < file:line ...", innermost first */
} StatusRecord;

/* Records the first error of this thread and returns `status`; a later call before status_clear
 * adds to the trace only. `status` must not be ST_OK. Use through FAIL. */
Status status_fail(Status status, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a place to the trace of this thread's record. Use through TRY. */
void status_trace(const char *file, int line);

/* Puts `format` and a colon before the recorded message ("configs/a.yaml: " ...), for a caller that
 * knows the file or the rank while the callee knows the cause. */
void status_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Copies this thread's record to *record and clears it. */
void status_take(StatusRecord *record);

/* Makes *record this thread's record and returns its status (ST_OK for a zeroed record). */
Status status_put(const StatusRecord *record);

/* Forgets this thread's error: for a caller that handled it. */
void status_clear(void);

/* The recorded message of this thread, "" if none. Valid until the thread's next status call. */
const char *status_message(void);

/* The recorded trace of this thread, "" if none. Valid until the thread's next status call. */
const char *status_trace_text(void);

/* A word for a status: "data", "deadline", ... */
const char *status_word(Status status);

#define FAIL(status, ...) status_fail((status), __FILE__, __LINE__, __VA_ARGS__)

/* Evaluates an expression of type Status once; on failure returns it to the caller. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        Status try_status_ = (expression);                                                         \
        if (try_status_ != ST_OK) {                                                                \
            status_trace(__FILE__, __LINE__);                                                      \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

/* The same for functions that free in reverse at a label `done`: sets `status` and jumps there. */
#define TRY_DONE(expression)                                                                       \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != ST_OK) {                                                                     \
            status_trace(__FILE__, __LINE__);                                                      \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* For an allocation that may fail: FAILs with ST_INTERNAL unless `pointer` is set. */
#define TRY_ALLOC(pointer)                                                                         \
    do {                                                                                           \
        if (!(pointer))                                                                            \
            return FAIL(ST_INTERNAL, "out of memory");                                             \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
