/* thread: the team of compute threads of a rank, and monotonic condition variables. Local.
 *
 * A Team runs one function on all its threads at once and waits for them. Compute threads set their
 * OpenMP thread count to 1 before anything else (oneDNN reads it at creation and at execution), so
 * that no layer forks: parallelism comes from lanes alone. */
#ifndef LOCKSTEP_THREAD_H
#define LOCKSTEP_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "lockstep/clock.h"
#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Team Team;

/* A job: called once on each thread with its index in [0, threads). */
typedef Status (*TeamJob)(void *context, int thread);

/* Starts `threads` >= 1 threads. ST_INTERNAL if the system refuses. */
Status team_start(int threads, Team **team);

/* Ends and joins the threads; accepts NULL. */
void team_stop(Team *team);

int team_size(const Team *team);

/* Runs `job` on every thread and waits for all. Returns the status of the lowest thread that failed
 * and makes its error record the caller's. */
Status team_run(Team *team, TeamJob job, void *context);

/* Part `index` of `parts` near-equal contiguous parts of [0, total), each a multiple of `grain` but
 * the last: [*begin, *end). */
void split_range(int64_t total, int64_t grain, int parts, int index, int64_t *begin, int64_t *end);

/* A condition variable for the waits below. */
Status cond_init_monotonic(pthread_cond_t *cond);

/* Waits, with the lock held, until `cond` is signalled, but for a tenth of a second at most: to be
 * called until what is waited for has come about. So a waiting thread shows that it is alive
 * (src/engine/standstill.h), and looks at its deadline. */
void cond_wait_briefly(pthread_cond_t *cond, pthread_mutex_t *lock);

/* Likewise, and no longer than to the deadline. */
void cond_wait_before(pthread_cond_t *cond, pthread_mutex_t *lock, const Deadline *deadline);

#ifdef __cplusplus
}
#endif
#endif
