/* train_save: see train_save.h. */
#include "train_save.h"

#include <inttypes.h>

#include "advice.h"
#include "bad_steps.h"
#include "lockstep/clock.h"

Status train_compare(Train *run, int64_t *bad) {
    double start = trace_now(run->session.row);
    *bad = 0;
    if (run->compared == run->state.step)
        return ST_OK;
    comm_at(run->session.ranks.comm, run->state.step, STAGE_COMPARE);
    TRY(drift_check(&run->drift, &run->state, run->keeper, bad));
    trace_span(run->session.row, "checkpoint", "compare", (TraceAt){run->state.step, -1}, start);
    if (*bad == 0)
        run->compared = run->state.step;
    return ST_OK;
}

Status train_bad_weights(const Train *run, int64_t bad) {
    const Session *session = &run->session;
    char why[256];
    bad_steps_why(&session->config->bad_steps, &run->state.bad, why, sizeof why);
    return comm_agree(session->ranks.comm,
                      FAIL(ST_DIVERGED,
                           "diverged: %" PRId64 " weights are NaN or infinite; %sthe last "
                           "checkpoint is untouched; %s",
                           bad, why, advice_on_divergence(session->config)));
}

Status train_check(Train *run) {
    int64_t bad;
    TRY(train_compare(run, &bad));
    if (bad > 0)
        return train_bad_weights(run, bad);
    return samples_check(&run->samples, &run->state);
}

Status train_agree_on_disk(Comm *comm, Status mine) {
    return mine == ST_DEADLINE ? mine : comm_agree(comm, mine);
}

Status train_save(Train *run, bool lasting) {
    Comm *comm = run->session.ranks.comm;
    if (run->saved_step == run->state.step && (run->saved_lasts || !lasting))
        return ST_OK;
    double start = clock_now(), ran = clock_running();
    Status mine = ST_OK;
    TRY(train_check(run));
    comm_at(comm, run->state.step, STAGE_CHECKPOINT);
    if (run->keeper)
        mine = keeper_snapshot(run->keeper, &run->state, lasting);
    /* Else it would be lost with this rank, and the others could not make it any more. */
    if (run->keeper && mine == ST_OK && run->session.config->elastic)
        mine = keeper_settle(run->keeper);
    TRY(train_agree_on_disk(comm, mine));
    run->saved_step = run->state.step;
    run->saved_lasts = lasting;
    trace_span_until(run->session.row, "checkpoint", "snapshot", (TraceAt){run->state.step, -1},
                     start, clock_now());
    meter_checkpoint(&run->journal.meter, clock_now() - start);
    pacing_checkpoint(&run->pacing, clock_running() - ran);
    return ST_OK;
}

Status train_find_lasting(Train *run, const char *path) {
    int64_t lasts = run->keeper && path && keeper_holds(run->keeper, path, &run->state);
    TRY(comm_sum_i64(run->session.ranks.comm, &lasts, 1));
    run->saved_lasts = lasts > 0;
    return ST_OK;
}
