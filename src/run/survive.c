/* survive: see survive.h. */
#include "survive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/log.h"
#include "recording.h"

Status survive_prepare(const Train *run) {
    const Session *session = &run->session;
    Comm *comm = session->ranks.comm;
    return comm_agree(comm, session->config->elastic ? comm_survive(comm) : ST_OK);
}

/* Rank 0's word. Collective, agreed. */
static Status tell_owner(Train *run) {
    if (run->keeper)
        snprintf(run->owner, sizeof run->owner, "%s", keeper_owner(run->keeper));
    return comm_bcast(run->session.ranks.comm, run->owner, sizeof run->owner, 0);
}

Status survive_begin(Train *run) {
    const Session *session = &run->session;
    return session->config->elastic ? tell_owner(run) : ST_OK;
}

/* "rank 2 on n2 was lost in step 812; 3 ranks go on", a line each. Rank 0. */
static void say_losses(Train *run) {
    const Ranks *ranks = &run->session.ranks;
    const CommLoss *losses;
    int64_t n = comm_losses(ranks->comm, &losses);
    for (int64_t i = run->said; i < n; i++)
        log_warn("rank %d on %s was lost in step %" PRId64 "; %d rank%s on", losses[i].rank,
                 losses[i].host, losses[i].step, ranks->size, ranks->size == 1 ? " goes" : "s go");
    run->said = n;
}

/* The loader goes on behind the steps that the weights have had. Local. */
static Status open_step(Train *run) {
    TRY(stepper_open(&run->session, &run->stepper));
    if (run->updated < run->end_step)
        TRY(stepper_load(run->stepper, run->updated, run->end_step));
    return stragglers_open(&run->stragglers, &run->session);
}

/* Ranks may be a step apart in their state, not in the weights. Collective, agreed. */
static Status regroup(Train *run, const EngineState *engine) {
    Session *session = &run->session;
    Ranks *ranks = &session->ranks;
    Status status = ST_OK;
    stragglers_close(&run->stragglers);
    stepper_close(run->stepper);
    run->stepper = NULL;
    ranks_follow(ranks);
    comm_at(ranks->comm, run->updated, STAGE_SETUP);
    if (ranks->rank == 0 && !run->keeper)
        status = keeper_inherit(session, run->owner, run->said, &run->keeper);
    else if (run->keeper)
        status = keeper_let_go(run->keeper);
    TRY(comm_agree(ranks->comm, status));
    say_losses(run);
    TRY(session_regroup(session, engine));
    comm_at(ranks->comm, run->updated, STAGE_CHECKPOINT);
    if (run->keeper)
        status = keeper_go_on(run->keeper, &run->state, run->end_step);
    TRY(comm_agree(ranks->comm, status));
    journal_go_on(&run->journal, run->keeper);
    run->pacing.keeper = run->keeper;
    TRY(tell_owner(run));
    TRY(recording_begin(session));
    TRY(comm_agree(ranks->comm, open_step(run)));
    samples_back(&run->samples, &run->state);
    run->samples.own_from = run->updated;
    comm_at(ranks->comm, run->updated, STAGE_COMPUTE);
    return ST_OK;
}

/* Until nobody was lost meanwhile. */
static Status regroup_all(Train *run, const EngineState *engine) {
    Comm *comm = run->session.ranks.comm;
    const CommLoss *losses;
    Status status = ST_OK;
    while (status == ST_OK && run->survived < comm_losses(comm, &losses)) {
        run->survived = comm_losses(comm, &losses);
        status = comm_commit(comm, regroup(run, engine));
        if (status == ST_LOST) {
            status_clear();
            status = ST_OK;
        }
    }
    return status;
}

Status survive(Train *run, Status status) {
    EngineState engine = {.peak = NULL};
    const CommLoss *losses;
    if (status == ST_LOST)
        status_clear();
    if ((status != ST_OK && status != ST_LOST) ||
        run->survived == comm_losses(run->session.ranks.comm, &losses))
        return status;
    Status regrouped = engine_state_take(&run->session.engine, &engine);
    if (regrouped == ST_OK)
        regrouped = regroup_all(run, &engine);
    engine_state_free(&engine);
    return regrouped != ST_OK ? regrouped : status;
}

/* What a section may change. */
typedef struct Before {
    RunState state;
    Meter meter;
    Tracing tracing;
    int64_t updated, tested_step, saved_step, compared;
    bool saved_lasts;
    double target_s;
} Before;

static Before look(const Train *run) {
    return (Before){.state = run->state,
                    .meter = run->journal.meter,
                    .tracing = run->tracing,
                    .updated = run->updated,
                    .tested_step = run->tested_step,
                    .saved_step = run->saved_step,
                    .compared = run->compared,
                    .saved_lasts = run->saved_lasts,
                    .target_s = run->target_s};
}

/* The history has grown, if at all, or is another one: the run has gone back to a checkpoint, whose
 * weights it may have by now; they follow anew. The test set is evaluated again where it was in the
 * section. */
static void undo(Train *run, const Before *before) {
    HistoryEntry *history = run->state.history;
    if (run->left) {
        free(history);
        history = run->left;
        run->left = NULL;
    }
    run->state = before->state;
    run->state.history = history;
    run->journal.meter = before->meter;
    run->tracing = before->tracing;
    run->updated = before->updated;
    run->tested_step = before->tested_step;
    run->saved_step = before->saved_step;
    run->compared = before->compared;
    run->saved_lasts = before->saved_lasts;
    run->target_s = before->target_s;
}

Status survive_section(Train *run, Status (*part)(Train *run, void *context), void *context,
                       bool last) {
    Comm *comm = run->session.ranks.comm;
    for (;;) {
        Before before = look(run);
        Status status = comm_commit(comm, part(run, context));
        if (status == ST_LOST)
            undo(run, &before);
        free(run->left);
        run->left = NULL;
        if (!last || status != ST_OK) /* who has left it may have left the run */
            status = survive(run, status);
        if (status != ST_LOST)
            return status;
    }
}
