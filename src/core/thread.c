/* thread: a team of compute threads that run one job at a time. See thread.h.
 *
 * A generation counter starts a job and a countdown ends it; the threads sleep in between. */
#include "lockstep/thread.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double BRIEFLY_S = 0.1;

typedef struct Member {
    struct Team *team;
    int index;
    pthread_t handle;
    StatusRecord record; /* of the last job */
} Member;

struct Team {
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    int64_t generation; /* jobs started */
    int running;        /* threads that have not finished the current job */
    bool stop;
    TeamJob job;
    void *context;
    int size, started;
    Member *members; /* [size] */
};

static void *member_main(void *argument) {
    Member *me = argument;
    Team *team = me->team;
    int64_t seen = 0;
    omp_set_num_threads(1);
    pthread_setname_np(pthread_self(), "compute");
    pthread_mutex_lock(&team->lock);
    for (;;) {
        while (team->generation == seen && !team->stop)
            pthread_cond_wait(&team->begin, &team->lock);
        if (team->stop)
            break;
        seen = team->generation;
        pthread_mutex_unlock(&team->lock);
        status_clear();
        Status status = team->job(team->context, me->index);
        if (status == ST_OK)
            status_clear();
        status_take(&me->record);
        me->record.status = status;
        pthread_mutex_lock(&team->lock);
        if (--team->running == 0)
            pthread_cond_signal(&team->end);
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

Status team_start(int threads, Team **out) {
    Team *team = calloc(1, sizeof *team);
    TRY_ALLOC(team);
    Status status = cond_init_monotonic(&team->end);
    if (status != ST_OK) {
        free(team);
        return status;
    }
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begin, NULL);
    team->size = threads;
    team->members = calloc((size_t)threads, sizeof *team->members);
    if (!team->members) {
        team_stop(team);
        return FAIL(ST_INTERNAL, "out of memory");
    }
    for (int i = 0; i < threads; i++) {
        Member *member = &team->members[i];
        member->team = team;
        member->index = i;
        int error = pthread_create(&member->handle, NULL, member_main, member);
        if (error) {
            team_stop(team);
            return FAIL(ST_INTERNAL, "cannot start compute thread %d of %d: %s", i + 1, threads,
                        strerror(error));
        }
        team->started++;
    }
    *out = team;
    return ST_OK;
}

void team_stop(Team *team) {
    if (!team)
        return;
    pthread_mutex_lock(&team->lock);
    team->stop = true;
    pthread_cond_broadcast(&team->begin);
    pthread_mutex_unlock(&team->lock);
    for (int i = 0; i < team->started; i++)
        pthread_join(team->members[i].handle, NULL);
    pthread_cond_destroy(&team->begin);
    pthread_cond_destroy(&team->end);
    pthread_mutex_destroy(&team->lock);
    free(team->members);
    free(team);
}

int team_size(const Team *team) {
    return team->size;
}

Status team_run(Team *team, TeamJob job, void *context) {
    pthread_mutex_lock(&team->lock);
    team->job = job;
    team->context = context;
    team->running = team->size;
    team->generation++;
    pthread_cond_broadcast(&team->begin);
    while (team->running > 0)
        cond_wait_briefly(&team->end, &team->lock);
    pthread_mutex_unlock(&team->lock);
    for (int i = 0; i < team->size; i++) {
        if (team->members[i].record.status != ST_OK)
            return status_put(&team->members[i].record);
    }
    return ST_OK;
}

void split_range(int64_t total, int64_t grain, int parts, int index, int64_t *begin, int64_t *end) {
    int64_t grains = (total + grain - 1) / grain;
    int64_t from = grains * index / parts * grain;
    int64_t to = grains * (index + 1) / parts * grain;
    *begin = from < total ? from : total;
    *end = to < total ? to : total;
}

Status cond_init_monotonic(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (!error)
        error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(cond, &attributes);
    if (error)
        return FAIL(ST_INTERNAL, "cannot make a condition variable: %s", strerror(error));
    pthread_condattr_destroy(&attributes);
    return ST_OK;
}

/* At most `seconds` < 1. */
static void wait_for(pthread_cond_t *cond, pthread_mutex_t *lock, double seconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(seconds * 1e9);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(cond, lock, &until);
}

void cond_wait_briefly(pthread_cond_t *cond, pthread_mutex_t *lock) {
    wait_for(cond, lock, BRIEFLY_S);
}

void cond_wait_before(pthread_cond_t *cond, pthread_mutex_t *lock, const Deadline *deadline) {
    double left = deadline->end - clock_running();
    wait_for(cond, lock, fmin(fmax(left, 0), BRIEFLY_S));
}
