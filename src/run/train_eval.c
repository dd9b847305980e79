/* train_eval: see train_eval.h. */
#include "train_eval.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "selection.h"

/* Evaluates one set and logs it; one that selects decides whether this is the best one. Collective.
 */
static Status evaluate_set(Train *run, const EvalSet *set, bool selects, EvalResult *result,
                           bool *is_best) {
    const Session *session = &run->session;
    double start = clock_now();
    TRY(evaluate(&run->session.engine, session->ranks.comm, set, &session->config->augment,
                 TTA_NONE, result));
    double seconds = clock_now() - start;
    trace_span_until(session->row, "evaluation", set->name, (TraceAt){run->state.step, -1}, start,
                     start + seconds);
    meter_evaluation(&run->journal.meter, seconds);
    if (isnan(result->loss))
        log_warn("the loss on the %s set is NaN after step %" PRId64 ": this is never the best",
                 set->name, run->state.step);
    if (selects)
        *is_best =
            selection_add(&run->state, session->config->monitor, result->accuracy, result->loss);
    return journal_evaluation(&run->journal, &run->state, set, result, selects && *is_best,
                              seconds);
}

/* Local. */
static Status add_history(RunState *state, const EvalResult *test) {
    size_t entries = (size_t)state->n_history + 1;
    HistoryEntry *history = realloc(state->history, entries * sizeof *history);
    TRY_ALLOC(history);
    state->history = history;
    history[state->n_history++] = (HistoryEntry){.epoch = state->epoch,
                                                 .step = state->step,
                                                 .train_loss = journal_epoch_loss(state),
                                                 .train_accuracy = journal_epoch_accuracy(state),
                                                 .test_loss = test->loss,
                                                 .test_accuracy = test->accuracy};
    return ST_OK;
}

/* What a schedule that waits for better evaluations makes of this one. Local, the same everywhere.
 */
static void follow_plateau(RunState *state, const RunConfig *config, const EvalResult *selecting) {
    bool higher = config->monitor == MONITOR_ACCURACY;
    double value = higher ? selecting->accuracy : selecting->loss;
    if (isnan(selecting->loss))
        value = (double)NAN;
    if (state->has_plateau && plateau_add(&state->plateau, &config->schedule, higher, value))
        log_info("no better %s for more than %" PRId64
                 " evaluations: the learning rate falls to %g",
                 higher ? "accuracy" : "loss", config->schedule.patience, state->plateau.lr);
}

/* Whether the run has had enough. Local, the same everywhere. */
static bool is_enough(const RunState *state, const RunConfig *config) {
    return selection_reaches(state, config->target) || selection_gives_up(state, config->patience);
}

static void say_enough(const Train *run) {
    const RunConfig *config = run->session.config;
    const RunState *state = &run->state;
    char since[64] = "";
    if (run->resumed_from >= 0)
        snprintf(since, sizeof since, " since it was resumed at step %" PRId64, run->resumed_from);
    if (selection_reaches(state, config->target))
        log_info("accuracy %.2f %% on the %s reaches the target of %g %%: at step %" PRId64
                 ", after %.1f s%s",
                 100 * state->last_accuracy,
                 run->session.input.holdout.records > 0 ? "held-out records" : "test set",
                 100 * config->target, state->step, run->target_s, since);
    else
        log_info("no better %s in %" PRId64 " evaluations: the run ends early",
                 config->monitor == MONITOR_LOSS ? "loss" : "accuracy", state->without_better);
}

Status train_evaluate_epoch(Train *run) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    const Input *input = &session->input;
    RunState *state = &run->state;
    EvalResult held_out = {0};
    Status status = ST_OK;
    bool is_best = false;
    bool holds_out = input->holdout.records > 0;
    double start = clock_running();
    comm_at(session->ranks.comm, state->step, STAGE_EVALUATE);
    if (holds_out)
        TRY_DONE(evaluate_set(run, &input->holdout, true, &held_out, &is_best));
    TRY_DONE(evaluate_set(run, &input->test, !holds_out, &run->test, &is_best));
    run->tested_step = state->step;
    pacing_evaluation(&run->pacing, clock_running() - start);
    TRY_DONE(add_history(state, &run->test));
    journal_epoch(&run->journal, state, &run->test, holds_out ? &held_out : NULL, is_best);
    follow_plateau(state, config, holds_out ? &held_out : &run->test);
    state->finished = is_enough(state, config);
    if (selection_reaches(state, config->target))
        run->target_s = meter_wall(&run->journal.meter);
    if (state->finished)
        say_enough(run);
    if (run->keeper)
        keeper_draw(run->keeper, state, &run->test);
done:
    eval_result_free(&held_out);
    return status;
}

Status train_evaluate_end(Train *run) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    const EvalSet *set = &session->input.test;
    Comm *comm = session->ranks.comm;
    double start = clock_now();
    comm_at(comm, run->state.step, STAGE_EVALUATE);
    if (run->tested_step != run->state.step || config->tta != TTA_NONE)
        run->compared = -1;
    if (run->tested_step != run->state.step)
        TRY(evaluate(&session->engine, comm, set, &config->augment, TTA_NONE, &run->test));
    run->tested_step = run->state.step;
    run->plain_accuracy = run->test.accuracy;
    run->plain_loss = run->test.loss;
    if (config->tta != TTA_NONE)
        TRY(evaluate(&session->engine, comm, set, &config->augment, config->tta, &run->test));
    meter_evaluation(&run->journal.meter, clock_now() - start);
    return ST_OK;
}

/* An end that patience came to is not one where more steps are asked for: it begins anew. Local,
 * the same everywhere. */
static Status more_patience(Train *run, const Resume *resume) {
    const Session *session = &run->session;
    RunState *state = &run->state;
    bool extends;
    if (!state->finished || selection_reaches(state, session->config->target))
        return ST_OK;
    TRY(resume_extends(resume, session->config, session->input.sampler.steps_per_epoch, &extends));
    if (!extends)
        return ST_OK;
    log_info("patience had ended this run at step %" PRId64 "; it is to go on to step %" PRId64
             ", so patience begins anew",
             state->step, run->end_step);
    state->without_better = 0;
    state->finished = false;
    return ST_OK;
}

Status train_settle_end(Train *run, const Resume *resume) {
    run->state.finished = is_enough(&run->state, run->session.config);
    return comm_agree(run->session.ranks.comm, more_patience(run, resume));
}
