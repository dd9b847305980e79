/* train_loop: see train_loop.h. */
#include "train_loop.h"

#include <inttypes.h>
#include <stdlib.h>

#include "advice.h"
#include "bad_steps.h"
#include "crash.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "resume.h"
#include "survive.h"
#include "train_eval.h"
#include "train_save.h"

static bool is_due(int64_t every, int64_t step) {
    return every > 0 && step % every == 0;
}

/* What is due once the step is done for which the ranks asked *step. *bad: weights that are not
 * finite, where it was looked: then nothing else was done. Looked is also before an end, while the
 * run can go back. Collective. */
static Status after_step(Train *run, const StepResult *step, int64_t *bad) {
    const RunConfig *config = run->session.config;
    RunState *state = &run->state;
    bool epoch_ends = state->position == run->session.input.sampler.steps_per_epoch;
    bool saves = epoch_ends || step->save > 0 || is_due(config->checkpoint_every, state->step);
    bool run_ends = step->stop > 0 || state->step == run->end_step;
    *bad = 0;
    if (saves || run_ends || is_due(config->drift_every, state->step))
        TRY(train_compare(run, bad));
    if (*bad > 0)
        return ST_OK;
    if (epoch_ends) {
        TRY(samples_check(&run->samples, state));
        run->compared = -1;
        state->epoch++;
        state->position = 0;
        if (state->epoch % config->eval_every == 0)
            TRY(train_evaluate_epoch(run));
        else
            journal_epoch(&run->journal, state, NULL, NULL, false);
        state->epoch_loss = state->epoch_correct = state->epoch_images = 0;
        samples_next_epoch(&run->samples, state);
    }
    if (saves)
        TRY(train_save(run, epoch_ends));
    return ST_OK;
}

/* A step whose sum is not finite: the ranks where it is not agree on it. Collective. */
static Status diverged(const Train *run, const StepResult *step) {
    const Session *session = &run->session;
    const Input *input = &session->input;
    Status mine = ST_OK;
    char why[256];
    bad_steps_why(&session->config->bad_steps, &run->state.bad, why, sizeof why);
    if (step->local_bad > 0)
        mine = FAIL(ST_DIVERGED,
                    "diverged: %" PRId64 " losses, gradients or statistics of lanes %" PRId64
                    "-%" PRId64 " are NaN or out of range (lr %g); %sthe last checkpoint is "
                    "untouched; %s",
                    step->local_bad, input->first_lane, input->first_lane + input->lane_count - 1,
                    step->lr, why, advice_on_divergence(session->config));
    return comm_agree(session->ranks.comm, mine);
}

static Status next_step(Train *run, StepRequest *next) {
    const RunConfig *config = run->session.config;
    StepRequest request = {.step = run->state.step, .plateau = &run->state.plateau};
    pacing_ask(&run->pacing, &run->state, &request);
    TRY(crash_due(&run->session, &run->state, &request));
    run->slow = run->slow || request.slow;
    request.slow = run->slow;
    stragglers_ask(&run->stragglers, &request);
    request.rates = schedule_rates(&config->schedule, &run->state.plateau, &config->optimizer,
                                   request.step, run->session.input.sampler.steps_per_epoch);
    request.lr_factor = run->state.bad.lr_factor;
    request.rates.lr *= request.lr_factor;
    if (run->keeper && keeper_failed(run->keeper) != ST_OK) {
        request.error = true;
        status_clear();
    }
    *next = request;
    return ST_OK;
}

/* Back to the newest good checkpoint, with a lower learning rate; to the beginning where there is
 * none. A section: whatever weights a rank has when it begins, those of the checkpoint follow; the
 * history is kept until it counts. Collective, agreed, but for a disk that does not answer. */
static Status go_back(Train *run, void *context) {
    (void)context;
    Session *session = &run->session;
    const BadStepRules *rules = &session->config->bad_steps;
    Comm *comm = session->ranks.comm;
    Keeper *keeper = run->keeper;
    BadSteps now = run->state.bad;
    int64_t step = run->state.step;
    Resume *resume = NULL;
    Status status = ST_OK;
    comm_at(comm, step, STAGE_CHECKPOINT);
    TRY_DONE(train_agree_on_disk(comm, keeper ? keeper_settle(keeper) : ST_OK));
    TRY_DONE(resume_choose_back(session, keeper, &resume));
    run->left = run->state.history;
    run->state.history = NULL;
    TRY_DONE(resume_load(resume, session, &run->state));
    TRY_DONE(train_settle_end(run, resume));
    run->updated = run->state.step;
    run->state.bad = bad_steps_back(rules, &now, &run->state.bad);
    run->saved_step = resume_path(resume) ? run->state.step : -1;
    TRY_DONE(train_find_lasting(run, resume_path(resume)));
    run->tested_step = run->compared = -1;
    samples_back(&run->samples, &run->state);
    meter_back(&run->journal.meter, step - run->state.step);
    TRY_DONE(comm_agree(comm, keeper ? keeper_return(keeper, &run->state, run->end_step) : ST_OK));
    TRY_DONE(comm_agree(comm, stepper_load(run->stepper, run->state.step, run->end_step)));
    log_warn("step %" PRId64 " came to values that are NaN or out of range: rolled back to step "
             "%" PRId64 " (%" PRId64 " of %" PRId64 " times at most), with %g of the schedule's "
             "learning rate",
             step, run->state.step, run->state.bad.rollbacks, rules->rollbacks,
             run->state.bad.lr_factor);
done:
    resume_free(resume);
    return status;
}

/* A step was not finite. *back: the run is to go back instead of ending; else the step is skipped:
 * it counts, with the images that it was given, but nothing came of it. Collective. */
static Status bad_step(Train *run, StepResult *step, bool *back) {
    const BadStepRules *rules = &run->session.config->bad_steps;
    BadStepAction action = bad_steps_action(rules, &run->state.bad);
    *back = action == BAD_STEP_ROLLS_BACK;
    if (action == BAD_STEP_STOPS)
        return diverged(run, step);
    if (*back)
        return ST_OK;
    bad_steps_skip(rules, &run->state.bad, run->state.step);
    step->loss = step->correct = step->images = 0;
    return ST_OK;
}

/* The weights are not. *back: as above. Collective. */
static Status after_bad_weights(Train *run, int64_t bad, bool *back) {
    const BadStepRules *rules = &run->session.config->bad_steps;
    *back = bad_steps_action(rules, &run->state.bad) == BAD_STEP_ROLLS_BACK;
    return *back ? ST_OK : train_bad_weights(run, bad);
}

/* A step, from its sums on. */
typedef struct Turn {
    StepResult result;
    int64_t survived;  /* Train.survived when it began */
    double start, ran; /* when its work began, by clock_now and clock_running */
    bool stopped;      /* what follows from it: the run is asked to stop, */
    bool back;         /* or is to go back to a checkpoint */
} Turn;

/* What comes before the weights change. The clocks start behind what a trace takes: its barrier and
 * its file are no part of the step. A section. Collective. */
static Status sum(Train *run, Turn *turn) {
    int64_t step = run->state.step;
    StepRequest request;
    comm_at(run->session.ranks.comm, step, STAGE_COMPUTE);
    TRY(tracing_at(&run->tracing, &run->session, run->keeper, step, false));
    turn->start = clock_now();
    turn->ran = clock_running();
    TRY(next_step(run, &request));
    return stepper_sum(run->stepper, &request, &turn->result);
}

/* Local. */
static Status update(Train *run, StepResult *result) {
    TRY(stepper_update(run->stepper, result));
    run->updated = run->state.step + 1;
    stragglers_step(&run->stragglers, result);
    return ST_OK;
}

/* What comes after it. A section. Collective. */
static Status follow(Train *run, void *context) {
    Turn *turn = context;
    StepResult step = turn->result;
    TraceAt at = {run->state.step, -1};
    bool mine = run->survived == turn->survived;
    int64_t bad;
    turn->back = false;
    if (!mine) /* its lanes are others' now, and its stepper is gone */
        step.local_samples = 0;
    if (step.error > 0)
        TRY(comm_agree(run->session.ranks.comm, run->keeper ? keeper_failed(run->keeper) : ST_OK));
    if (step.bad > 0)
        TRY(bad_step(run, &step, &turn->back));
    else
        run->state.bad.in_a_row = 0;
    if (turn->back)
        return ST_OK;
    samples_step(&run->samples, &run->state, &step);
    TRY(journal_step(&run->journal, &run->state, &step, clock_now() - turn->start));
    if (run->keeper && step.bad == 0 && mine)
        TRY(keeper_log_histograms(run->keeper, &run->state, run->stepper));
    trace_span(run->session.row, "step", "step", at,
               trace_keeps(run->session.row) ? turn->start : 0);
    pacing_step(&run->pacing, clock_running() - turn->ran);
    TRY(after_step(run, &step, &bad));
    if (bad > 0)
        return after_bad_weights(run, bad, &turn->back);
    turn->stopped = step.stop > 0 && run->state.step < run->end_step;
    return ST_OK;
}

/* *counts: the sums do; else they are to be made again. Collective. */
static Status take_step(Train *run, Turn *turn, bool *counts) {
    Comm *comm = run->session.ranks.comm;
    Tracing tracing = run->tracing;
    Status status = comm_commit(comm, sum(run, turn));
    if (status == ST_OK)
        status = update(run, &turn->result);
    else if (status == ST_LOST)
        run->tracing = tracing;
    *counts = status == ST_OK;
    status = survive(run, status);
    return status == ST_LOST ? ST_OK : status;
}

Status train_loop(Train *run, bool *stopped) {
    *stopped = false;
    while (run->state.step < run->end_step && !run->state.finished && !*stopped) {
        Turn turn = {.survived = run->survived};
        bool counts;
        TRY(take_step(run, &turn, &counts));
        if (!counts)
            continue;
        TRY(survive_section(run, follow, &turn, false));
        if (turn.back)
            TRY(survive_section(run, go_back, NULL, false));
        *stopped = turn.stopped;
    }
    if (*stopped)
        pacing_say_stopped(&run->pacing, run->state.step);
    return ST_OK;
}
