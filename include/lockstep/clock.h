/* Monotonic time and deadlines. Local, thread-safe. */
#ifndef LOCKSTEP_CLOCK_H
#define LOCKSTEP_CLOCK_H

#include <stdbool.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds on a monotonic clock of unspecified start. */
double clock_now(void);

/* Seconds of processor time that the calling thread has had. */
double clock_thread(void);

/* Seconds on another one, which stands while this process does: of a time in which none of its
 * threads ran (SIGSTOP, a suspended job or machine) it counts half a second. It is the clock of
 * every deadline, for what nobody could do in time is not late. Begins a thread at its first call,
 * which a child made by fork alone has not: there it comes to stand. */
double clock_running(void);

/* The longest that a wait may take, on clock_running. */
typedef struct Deadline {
    double seconds; /* in all, for messages */
    double end;     /* clock_running then */
} Deadline;

Deadline deadline_after(double seconds);
bool deadline_passed(const Deadline *deadline);

/* Sleeps for `seconds`, resuming after signals. */
void clock_sleep(double seconds);

/* Wall-clock time as "2026-01-31T12:00:00Z" into out[21]. */
void clock_iso8601(char out[21]);

#ifdef __cplusplus
}
#endif
#endif
