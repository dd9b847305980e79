/* Monotonic time and deadlines. Local, thread-safe. */
#ifndef LOCKSTEP_CLOCK_H
#define LOCKSTEP_CLOCK_H

#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds on a monotonic clock of unspecified start. */
double clock_now(void);

/* Seconds of processor time that the calling thread has had. */
double clock_thread(void);

/* Sleeps for `seconds`, resuming after signals. */
void clock_sleep(double seconds);

/* CLOCK_MONOTONIC time `seconds` from now, for pthread_cond_timedwait on a condition variable made
 * by cond_init_monotonic (thread.h). */
struct timespec clock_after(double seconds);

/* Wall-clock time as "2026-01-31T12:00:00Z" into out[21]. */
void clock_iso8601(char out[21]);

#ifdef __cplusplus
}
#endif
#endif
