/* drift: see drift.h.
 *
 * Two rounds: a hash for each part of the state, always; where these differ, one for each parameter
 * of the first part that does, so that the line names an array and not just a rank. */
#include "drift.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 64, RANKS_LISTED = 8 };

/* ---- What is hashed ---- */

/* What no step changes: hashed as it stands in memory, for it is compared with itself. */
static uint64_t hash_settings(const Drift *drift) {
    const Session *session = drift->session;
    const RunConfig *config = session->config;
    const ParamGroups *groups = &session->grouping.groups;
    hash_reset(drift->hash);
    hash_add(drift->hash, &config->schedule, sizeof config->schedule);
    hash_add(drift->hash, &config->optimizer, sizeof config->optimizer);
    hash_add(drift->hash, &config->augment, sizeof config->augment);
    hash_add(drift->hash, groups->group, ((size_t)groups->n + 1) * sizeof *groups->group);
    hash_add(drift->hash, &session->input.sampler, sizeof session->input.sampler);
    return hash_value(drift->hash);
}

Status drift_open(Drift *drift, Session *session) {
    *drift = (Drift){.session = session};
    drift->hash = hash_new();
    TRY_ALLOC(drift->hash);
    drift->all = calloc((size_t)session->ranks.size, DRIFT_PARTS * sizeof *drift->all);
    TRY_ALLOC(drift->all);
    drift->settings = hash_settings(drift);
    return ST_OK;
}

void drift_close(Drift *drift) {
    hash_free(drift->hash);
    free(drift->all);
    *drift = (Drift){0};
}

/* This rank's hash of each part. Local. */
static Status hash_parts(Drift *drift, const RunState *state, uint64_t part[DRIFT_PARTS],
                         int64_t *bad) {
    Engine *engine = &drift->session->engine;
    for (int a = 0; a < STATE_ARRAYS; a++) {
        Digest digest = {0};
        int64_t count;
        if (engine_array(engine, (StateArray)a, &count))
            TRY(engine_digest(engine, (StateArray)a, 0, count, &digest));
        part[a] = digest.hash;
        if (a == STATE_WEIGHT)
            *bad = digest.bad;
    }
    size_t running = (size_t)engine->model->running_flat * sizeof *engine->slow_running;
    part[DRIFT_SLOW_RUNNING] = engine->slow_running ? hash_bytes(engine->slow_running, running) : 0;
    part[DRIFT_PEAK] =
        hash_bytes(engine->peak, (size_t)engine->model->n_params * sizeof *engine->peak);
    hash_reset(drift->hash);
    checkpoint_add_state(drift->hash, state);
    part[DRIFT_STATE] = hash_value(drift->hash);
    part[DRIFT_SETTINGS] = hash_settings(drift) ^ drift->settings; /* 0: as it was */
    return ST_OK;
}

/* ---- Where ranks differ ---- */

int drift_minority(const uint64_t *value, int n, bool *odd) {
    int most = 0, count = 0;
    for (int i = 0; i < n; i++) {
        int same = 0;
        for (int j = 0; j < n; j++)
            same += value[j] == value[i];
        if (same > count) {
            count = same;
            most = i;
        }
    }
    bool known = 2 * count > n;
    for (int i = 0; i < n; i++)
        odd[i] = known && value[i] != value[most];
    return known ? n - count : 0;
}

static bool all_same(const uint64_t *value, int n, int stride) {
    for (int i = 1; i < n; i++) {
        if (value[(size_t)i * (size_t)stride] != value[0])
            return false;
    }
    return true;
}

/* What was found to differ. */
typedef struct Difference {
    char arrays[256]; /* the first of each part, as a checkpoint names them */
    bool settings;    /* or what each rank compares with itself */
    uint64_t *value;  /* [size] what ranks have in the first of all */
    char (*host)[HOST_MAX];
    bool *odd; /* [size] */
} Difference;

static const ParamView *views_of(const Session *session, int part, int *n) {
    bool running = part == STATE_RUNNING || part == DRIFT_SLOW_RUNNING;
    *n = part > DRIFT_SLOW_RUNNING ? 0
         : running                 ? session->model.n_running
                                   : session->model.n_params;
    return running ? session->model.running : session->model.params;
}

/* A hash of each view of a part. Local. */
static Status hash_views(Session *session, int part, uint64_t *value) {
    Engine *engine = &session->engine;
    int n;
    const ParamView *view = views_of(session, part, &n);
    for (int i = 0; i < n; i++) {
        Digest digest = {0};
        if (part == DRIFT_SLOW_RUNNING)
            digest.hash = hash_bytes(engine->slow_running + view[i].offset,
                                     (size_t)view[i].count * sizeof *engine->slow_running);
        else
            TRY(engine_digest(engine, (StateArray)part, view[i].offset, view[i].count, &digest));
        value[i] = digest.hash;
    }
    return ST_OK;
}

/* Adds an array to the list, under the name that a checkpoint has for it. `view` NULL: the part as
 * a whole. */
static void add_array(const Session *session, int part, const ParamView *view, Difference *d) {
    const Grouping *grouping = &session->grouping;
    const char *group = "slot", *name = view ? view->name : "";
    size_t used = strlen(d->arrays), room = sizeof d->arrays - used;
    int slot = part - STATE_SLOT;
    for (int s = 0; s < grouping->n_states; s++) {
        const GroupState *state = &grouping->state[s];
        if (state->slot == slot && (!view || state->has[view - session->model.params]))
            group = state->name;
    }
    const char *comma = used ? ", " : "";
    switch (part) {
    case STATE_WEIGHT:
        snprintf(d->arrays + used, room, "%s/params/%s", comma, name);
        break;
    case STATE_RUNNING:
        snprintf(d->arrays + used, room, "%s/running/%s", comma, name);
        break;
    case STATE_EMA:
        snprintf(d->arrays + used, room, "%s/ema/%s", comma, name);
        break;
    case DRIFT_SLOW_RUNNING:
        snprintf(d->arrays + used, room, "%s/optimizer/slow_running/%s", comma, name);
        break;
    case DRIFT_PEAK:
        snprintf(d->arrays + used, room, "%s/state/gradient_peak", comma);
        break;
    case DRIFT_STATE:
        snprintf(d->arrays + used, room, "%s/state (steps, best, history)", comma);
        break;
    default:
        snprintf(d->arrays + used, room, "%s/optimizer/%s/%s", comma, group, name);
    }
}

/* Finds the first parameter of a part in which ranks differ; *value of the first of all.
 * Collective, agreed. */
static Status narrow(Drift *drift, int part, Difference *d) {
    Session *session = drift->session;
    const Ranks *ranks = &session->ranks;
    bool is_first = !d->arrays[0];
    int n, i = 0;
    const ParamView *view = views_of(session, part, &n);
    size_t size = (size_t)ranks->size, views = (size_t)n;
    uint64_t *mine = calloc(views + 1, sizeof *mine);
    uint64_t *all = calloc(views * size + 1, sizeof *all);
    Status status =
        mine && all ? hash_views(session, part, mine) : FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(ranks->comm, status));
    if (n > 0)
        TRY_DONE(comm_allgather(ranks->comm, mine, views * sizeof *mine, all));
    while (i < n && all_same(all + i, ranks->size, n))
        i++;
    add_array(session, part, i < n ? &view[i] : NULL, d);
    for (size_t r = 0; is_first && r < size; r++)
        d->value[r] = i < n ? all[r * views + (size_t)i] : drift->all[r * DRIFT_PARTS + part];
done:
    free(mine);
    free(all);
    return status;
}

/* "rank 2 on a", "ranks 2 on a, 5 on b": those that are odd. */
static void list_ranks(const Difference *difference, int size, char *text, size_t room) {
    int n = 0, listed = 0;
    for (int r = 0; r < size; r++)
        n += difference->odd[r];
    snprintf(text, room, n == 1 ? "rank" : "ranks");
    for (int r = 0; r < size && listed < RANKS_LISTED; r++) {
        size_t used = strlen(text);
        if (!difference->odd[r])
            continue;
        snprintf(text + used, room - used, "%s %d on %s", listed++ > 0 ? "," : "", r,
                 difference->host[r]);
    }
    size_t used = strlen(text);
    if (n > listed)
        snprintf(text + used, room - used, " and %d more", n - listed);
}

/* What differs, and on which ranks. */
static void describe(const Difference *difference, int size, char *text, size_t room) {
    char ranks[400];
    bool settings = difference->settings;
    int odd = settings ? 0 : drift_minority(difference->value, size, difference->odd);
    for (int r = 0; odd == 0 && r < size; r++) /* of settings it is known what is right */
        difference->odd[r] = !settings || difference->value[r] != 0;
    list_ranks(difference, size, ranks, sizeof ranks);
    if (settings)
        snprintf(text, room,
                 "schedule, optimizer, augmentation, parameter groups or sampler in the memory of "
                 "%s are not what they were when the run began",
                 ranks);
    else if (odd > 0)
        snprintf(text, room, "not the same on all ranks: %s: %s differs from the %d others",
                 difference->arrays, ranks, size - odd);
    else
        snprintf(text, room,
                 "not the same on all ranks: %s: %s differ, none is what most have, and so nobody "
                 "can tell which is right",
                 difference->arrays, ranks);
}

/* Rank 0's line. */
static Status report(const Difference *difference, int size, int64_t step, Keeper *keeper) {
    char what[STATUS_MESSAGE_MAX - 256], good[CONFIG_PATH_MAX];
    describe(difference, size, what, sizeof what);
    keeper_last_good(keeper, good);
    return FAIL(ST_COMM,
                "drift after step %" PRId64 ": %s; nothing of it is saved, %s%s; start again to go "
                "on from there, without a host that this comes from again",
                step, what,
                good[0] ? "the last good checkpoint is " : "and there is no checkpoint yet", good);
}

/* Collective, agreed; never ST_OK. `settings`: they differ, which is then the cause of all else. */
static Status differ(Drift *drift, bool settings, int64_t step, Keeper *keeper) {
    const Ranks *ranks = &drift->session->ranks;
    size_t size = (size_t)ranks->size;
    char host[HOST_MAX] = "";
    Difference difference = {.settings = settings};
    difference.value = calloc(size, sizeof *difference.value);
    difference.host = calloc(size, sizeof *difference.host);
    difference.odd = calloc(size, sizeof *difference.odd);
    bool room = difference.value && difference.host && difference.odd;
    Status status = room ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(comm_agree(ranks->comm, status));
    snprintf(host, sizeof host, "%s", comm_host(ranks->comm));
    TRY_DONE(comm_allgather(ranks->comm, host, sizeof host, difference.host));
    for (size_t r = 0; r < size; r++)
        difference.value[r] = drift->all[r * DRIFT_PARTS + DRIFT_SETTINGS];
    for (int part = 0; !settings && part < DRIFT_SETTINGS; part++) {
        if (!all_same(drift->all + part, ranks->size, DRIFT_PARTS))
            TRY_DONE(narrow(drift, part, &difference));
    }
    status =
        comm_agree(ranks->comm, keeper ? report(&difference, ranks->size, step, keeper) : ST_OK);
done:
    free(difference.value);
    free(difference.host);
    free(difference.odd);
    return status;
}

Status drift_check(Drift *drift, const RunState *state, Keeper *keeper, int64_t *bad) {
    const Ranks *ranks = &drift->session->ranks;
    uint64_t mine[DRIFT_PARTS];
    *bad = 0;
    TRY(comm_agree(ranks->comm, hash_parts(drift, state, mine, bad)));
    TRY(comm_allgather(ranks->comm, mine, sizeof mine, drift->all));
    bool settings = false, same = true;
    for (int r = 0; r < ranks->size; r++)
        settings = settings || drift->all[r * DRIFT_PARTS + DRIFT_SETTINGS] != 0;
    for (int part = 0; part < DRIFT_SETTINGS; part++)
        same = same && all_same(drift->all + part, ranks->size, DRIFT_PARTS);
    return same && !settings ? ST_OK : differ(drift, settings, state->step, keeper);
}
