/* train: one training run.
 *
 * The loop reads like the data flow: a step (lanes, sums over ranks, optimizer), then what is due
 * after it: metrics, evaluation, checkpoint. Failures of one rank outside a step are agreed on, so
 * that all ranks unwind and exit with one code; a failure inside a step, or of MPI itself, ends in
 * comm_abort. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "bad_steps.h"
#include "crash.h"
#include "drift.h"
#include "journal.h"
#include "lockstep/clock.h"
#include "lockstep/evaluate.h"
#include "lockstep/log.h"
#include "lockstep/run.h"
#include "lockstep/stepper.h"
#include "pacing.h"
#include "resume.h"
#include "samples.h"
#include "selection.h"
#include "showcase.h"
#include "signals.h"
#include "standstill.h"
#include "summary.h"
#include "tracing.h"
#include "version.h"

/* A run on one rank. */
typedef struct Train {
    Session session;
    Stepper *stepper;
    Keeper *keeper; /* rank 0's; NULL elsewhere */
    Standstill *standstill;
    Journal journal;
    Tracing tracing;
    Pacing pacing;
    Drift drift;
    Samples samples;
    RunState state;       /* what checkpoints hold beside the arrays; the same on every rank */
    int64_t end_step;     /* where the run ends unless patience or a signal ends it earlier */
    int64_t resumed_from; /* step, or -1 */
    uint64_t loaded_hash; /* of the state that was resumed */
    EvalResult test;      /* of the last evaluation of the test set */
    int64_t tested_step;  /* when that was; -1: never in this process */
    int64_t saved_step;   /* of the last snapshot; -1: none in this process */
    double target_s;      /* from the first step to the target; NaN: not reached */
    double plain_accuracy, plain_loss; /* on the test set, without test-time augmentation */
    bool saved_lasts;                  /* that one, at first the one that was loaded, did not go to
                                          --checkpoint-local */
    const char *libraries;             /* what the program is made of; borrowed */
} Train;

/* ---- Evaluation ---- */

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

/* The scheduled evaluation, and what follows from it. Collective. */
static Status evaluate_epoch(Train *run) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    const Input *input = &session->input;
    RunState *state = &run->state;
    EvalResult held_out = {0};
    Status status = ST_OK;
    bool is_best = false;
    bool holds_out = input->holdout.records > 0;
    double start = clock_now();
    comm_at(session->ranks.comm, state->step, STAGE_EVALUATE);
    if (holds_out)
        TRY_DONE(evaluate_set(run, &input->holdout, true, &held_out, &is_best));
    TRY_DONE(evaluate_set(run, &input->test, !holds_out, &run->test, &is_best));
    run->tested_step = state->step;
    pacing_evaluation(&run->pacing, clock_now() - start);
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

/* ---- Checkpoints ---- */

/* Ranks must agree on all that they hold alike before any of it is written, or a checkpoint would
 * keep a fault of one rank's memory for good. *bad: weights that are not finite. A ReLU or a
 * maximum of oneDNN swallows NaN, so they need not show in the loss. Collective, agreed. */
static Status compare_state(Train *run, int64_t *bad) {
    double start = trace_now(run->session.row);
    comm_at(run->session.ranks.comm, run->state.step, STAGE_CHECKPOINT);
    TRY(drift_check(&run->drift, &run->state, run->keeper, bad));
    trace_span(run->session.row, "checkpoint", "compare", (TraceAt){run->state.step, -1}, start);
    return ST_OK;
}

/* `why`: of the line's end, "" or "...; ". Collective, agreed; never ST_OK. */
static Status bad_weights(const Train *run, int64_t bad) {
    const Session *session = &run->session;
    char why[256];
    bad_steps_why(&session->config->bad_steps, &run->state.bad, why, sizeof why);
    return comm_agree(session->ranks.comm,
                      FAIL(ST_DIVERGED,
                           "diverged: %" PRId64 " weights are NaN or infinite; %sthe last "
                           "checkpoint is untouched; %s",
                           bad, why, advice_on_divergence(session->config)));
}

/* Before anything is saved: it is the same everywhere, finite, and of the right images. Collective,
 * agreed. */
static Status check_state(Train *run) {
    int64_t bad;
    TRY(compare_state(run, &bad));
    if (bad > 0)
        return bad_weights(run, bad);
    return samples_check(&run->samples, &run->state);
}

/* A disk that does not answer keeps the writer's thread, and closing the keeper would wait for
 * that: so it is not agreed on, and ends the run through ranks_judge. All else is. */
static Status agree_on_disk(Comm *comm, Status mine) {
    return mine == ST_DEADLINE ? mine : comm_agree(comm, mine);
}

/* Compares the state over ranks and hands it to the writer, unless this step's was saved already.
 * One that need not last may go to --checkpoint-local. Collective, agreed. */
static Status checkpoint_now(Train *run, bool lasting) {
    Comm *comm = run->session.ranks.comm;
    if (run->saved_step == run->state.step && (run->saved_lasts || !lasting))
        return ST_OK;
    double start = clock_now();
    Status mine = ST_OK;
    comm_at(comm, run->state.step, STAGE_CHECKPOINT);
    TRY(check_state(run));
    if (run->keeper)
        mine = keeper_snapshot(run->keeper, &run->state, lasting);
    TRY(agree_on_disk(comm, mine));
    run->saved_step = run->state.step;
    run->saved_lasts = lasting;
    trace_span_until(run->session.row, "checkpoint", "snapshot", (TraceAt){run->state.step, -1},
                     start, clock_now());
    meter_checkpoint(&run->journal.meter, clock_now() - start);
    pacing_checkpoint(&run->pacing, clock_now() - start);
    return ST_OK;
}

/* ---- Going on from a checkpoint ---- */

/* Whether the state that was loaded is the run directory's own checkpoint of it, under whatever
 * name it was asked for. Rank 0 can tell, and all must agree. Collective. */
static Status find_lasting(Train *run, const char *path) {
    int64_t lasts = run->keeper && path && keeper_holds(run->keeper, path, &run->state);
    TRY(comm_sum_i64(run->session.ranks.comm, &lasts, 1));
    run->saved_lasts = lasts > 0;
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

/* Whether the state that was loaded is the run's end, by the patience and target of now.
 * Collective, agreed. */
static Status settle_end(Train *run, const Resume *resume) {
    run->state.finished = is_enough(&run->state, run->session.config);
    return comm_agree(run->session.ranks.comm, more_patience(run, resume));
}

/* ---- The loop ---- */

static bool is_due(int64_t every, int64_t step) {
    return every > 0 && step % every == 0;
}

/* What is due once a step is done; `asked`: rank 0 asks for a checkpoint. *bad: weights that are
 * not finite, where it was looked: then nothing else was done. Collective. */
static Status after_step(Train *run, bool asked, int64_t *bad) {
    const RunConfig *config = run->session.config;
    RunState *state = &run->state;
    bool epoch_ends = state->position == run->session.input.sampler.steps_per_epoch;
    bool saves = epoch_ends || asked || is_due(config->checkpoint_every, state->step);
    *bad = 0;
    if (saves || is_due(config->drift_every, state->step))
        TRY(compare_state(run, bad));
    if (*bad > 0)
        return ST_OK;
    if (epoch_ends) {
        TRY(samples_check(&run->samples, state));
        state->epoch++;
        state->position = 0;
        if (state->epoch % config->eval_every == 0)
            TRY(evaluate_epoch(run));
        else
            journal_epoch(&run->journal, state, NULL, NULL, false);
        state->epoch_loss = state->epoch_correct = state->epoch_images = 0;
        samples_next_epoch(&run->samples, state);
    }
    if (saves)
        TRY(checkpoint_now(run, epoch_ends));
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
    TRY(crash_due(&run->session, &run->state, &request.nan));
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
 * none. Collective, agreed, but for a disk that does not answer. */
static Status roll_back(Train *run) {
    Session *session = &run->session;
    const BadStepRules *rules = &session->config->bad_steps;
    Comm *comm = session->ranks.comm;
    Keeper *keeper = run->keeper;
    BadSteps now = run->state.bad;
    int64_t step = run->state.step;
    Resume *resume = NULL;
    Status status = ST_OK;
    comm_at(comm, step, STAGE_CHECKPOINT);
    TRY_DONE(agree_on_disk(comm, keeper ? keeper_settle(keeper) : ST_OK));
    TRY_DONE(resume_choose_back(session, keeper, &resume));
    free(run->state.history);
    run->state.history = NULL;
    TRY_DONE(resume_load(resume, session, &run->state));
    TRY_DONE(settle_end(run, resume));
    run->state.bad = bad_steps_back(rules, &now, &run->state.bad);
    run->saved_step = resume_path(resume) ? run->state.step : -1;
    TRY_DONE(find_lasting(run, resume_path(resume)));
    run->tested_step = -1;
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

/* A step was not finite. *again: the run has gone back instead of ending; else the step is skipped:
 * it counts, with the images that it was given, but nothing came of it. Collective. */
static Status bad_step(Train *run, StepResult *step, bool *again) {
    const BadStepRules *rules = &run->session.config->bad_steps;
    BadStepAction action = bad_steps_action(rules, &run->state.bad);
    *again = action == BAD_STEP_ROLLS_BACK;
    if (action == BAD_STEP_STOPS)
        return diverged(run, step);
    if (*again)
        return roll_back(run);
    bad_steps_skip(rules, &run->state.bad, run->state.step);
    step->loss = step->correct = step->images = 0;
    return ST_OK;
}

/* The weights are not. Collective. */
static Status after_bad_weights(Train *run, int64_t bad) {
    const BadStepRules *rules = &run->session.config->bad_steps;
    if (bad_steps_action(rules, &run->state.bad) == BAD_STEP_ROLLS_BACK)
        return roll_back(run);
    return bad_weights(run, bad);
}

static Status train_loop(Train *run, bool *stopped) {
    Comm *comm = run->session.ranks.comm;
    *stopped = false;
    while (run->state.step < run->end_step && !run->state.finished && !*stopped) {
        StepResult step;
        int64_t bad;
        TraceAt at = {run->state.step, -1};
        TRY(tracing_at(&run->tracing, &run->session, run->keeper, at.step, false));
        double start = clock_now();
        StepRequest request;
        TRY(next_step(run, &request));
        TRY(stepper_run(run->stepper, &request, &step));
        if (step.error > 0)
            return comm_agree(comm, run->keeper ? keeper_failed(run->keeper) : ST_OK);
        bool again = false;
        if (step.bad > 0)
            TRY(bad_step(run, &step, &again));
        else
            run->state.bad.in_a_row = 0;
        if (again)
            continue;
        samples_step(&run->samples, &run->state, &step);
        TRY(journal_step(&run->journal, &run->state, &step, clock_now() - start));
        if (run->keeper && step.bad == 0)
            TRY(keeper_log_histograms(run->keeper, &run->state, run->stepper));
        trace_span(run->session.row, "step", "step", at, trace_keeps(run->session.row) ? start : 0);
        pacing_step(&run->pacing, clock_now() - start);
        TRY(after_step(run, step.save > 0, &bad));
        if (bad > 0) {
            TRY(after_bad_weights(run, bad));
            continue;
        }
        *stopped = step.stop > 0 && run->state.step < run->end_step;
    }
    TRY(tracing_at(&run->tracing, &run->session, run->keeper, run->state.step, true));
    if (*stopped)
        pacing_say_stopped(&run->pacing, run->state.step);
    return ST_OK;
}

/* ---- The end ---- */

/* What was said of each test image, where the last state was tested. Local. */
static Status write_predictions(const Train *run) {
    const EvalResult *test = &run->test;
    Predictions predictions = {.step = run->state.step,
                               .dataset = dataset_name(&run->session.input.dataset),
                               .images = test->images,
                               .label = test->label,
                               .predicted = test->predicted,
                               .probability = test->probability};
    return run->tested_step == run->state.step ? keeper_write_predictions(run->keeper, &predictions)
                                               : ST_OK;
}

/* Rank 0's part of the end. Local. */
static Status write_result(Train *run, bool stopped, const PhaseTimes *times, double wall) {
    const Session *session = &run->session;
    const RunConfig *config = session->config;
    const RunState *state = &run->state;
    const EvalResult *test = &run->test;
    bool tested = run->tested_step >= 0;
    RunResult result = {.test_accuracy = tested ? test->accuracy : (double)NAN,
                        .test_loss = tested ? test->loss : (double)NAN,
                        .tta = config_tta_name(config->tta),
                        .plain_accuracy = tested ? run->plain_accuracy : (double)NAN,
                        .plain_loss = tested ? run->plain_loss : (double)NAN,
                        .epoch = state->epoch,
                        .step = state->step,
                        .images_per_s = spent_rate(&run->journal.meter.total),
                        .wall_s = wall,
                        .train_s = run->journal.meter.total.seconds,
                        .ranks = session->ranks.size,
                        .lanes = session->config->lanes,
                        .device = session->device->ops->name,
                        .dataset = dataset_name(&session->input.dataset),
                        .git = LOCKSTEP_GIT,
                        .resumed_from = run->resumed_from,
                        .parameters = session->model.parameters,
                        .best_accuracy = state->best_accuracy,
                        .best_loss = state->best_loss,
                        .test_images = tested ? test->images : 0,
                        .test_correct = tested ? test->correct : 0,
                        .last_epoch =
                            state->n_history > 0 ? &state->history[state->n_history - 1] : NULL,
                        .samples = state->samples,
                        .bad_steps = state->bad,
                        .target = config->target,
                        .target_s = run->target_s,
                        .best_step = state->best_step,
                        .selected_on = session->input.holdout.records > 0 ? "holdout" : "test",
                        .times = *times,
                        .image = session->input.dataset.image,
                        .classes = session->model.classes,
                        .class_names = session->input.dataset.class_names,
                        .class_images = test->class_images,
                        .confusion = test->confusion,
                        .status = stopped ? "stopped" : "finished"};
    TRY(write_predictions(run));
    TRY(keeper_finish(run->keeper, state, &result));
    summarize(&result, session->config->out, session->input.dataset.synthetic);
    return ST_OK;
}

/* Evaluates the test set where the last step has not; then, where the recipe augments it, once
 * more. Collective, agreed. */
static Status evaluate_end(Train *run) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    const EvalSet *set = &session->input.test;
    Comm *comm = session->ranks.comm;
    double start = clock_now();
    comm_at(comm, run->state.step, STAGE_EVALUATE);
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

/* Final evaluation where the last step had none, final checkpoint, result.json and the summary.
 * Collective, agreed. */
static Status finish(Train *run, bool stopped) {
    Session *session = &run->session;
    Comm *comm = session->ranks.comm;
    Keeper *keeper = run->keeper;
    PhaseTimes times;
    run->plain_accuracy = run->test.accuracy;
    run->plain_loss = run->test.loss;
    if (!stopped)
        TRY(evaluate_end(run));
    TRY(checkpoint_now(run, true));
    comm_at(comm, run->state.step, STAGE_FINISH);
    TRY(agree_on_disk(comm, keeper ? keeper_flush(keeper, &run->state) : ST_OK));
    TRY(check_state(run)); /* the result is of it as well */
    TRY(journal_times(&run->journal, &times));
    double wall = meter_wall(&run->journal.meter);
    return comm_agree(comm, keeper ? write_result(run, stopped, &times, wall) : ST_OK);
}

/* ---- The beginning ---- */

/* Algorithms chosen by timing, in this run or an earlier part of it. Local, rank 0. */
static Status known_choices(Train *run, const Resume *resume) {
    Session *session = &run->session;
    const char *stored = resume_choices(resume);
    if (stored) {
        session->choices = strdup(stored);
        TRY_ALLOC(session->choices);
    } else if (!resume_path(resume) && session->config->autotune && !session->config->reset) {
        TRY(keeper_read_autotune(run->keeper, &session->choices));
    }
    return ST_OK;
}

static void announce(const Train *run) {
    const RunConfig *config = run->session.config;
    session_announce(&run->session);
    crash_announce(&config->crash, run->session.ranks.size);
    if (config->holdout > 0)
        log_info("best.h5 is selected on %" PRId64 " held-out training records", config->holdout);
    else if (run->session.input.holdout.records > 0)
        log_info("best.h5 is selected on the %" PRId64 " held-out records of the set",
                 run->session.input.holdout.records);
    else
        log_info("best.h5 is selected on the test set (--holdout N selects honestly)");
}

/* From an opened communicator to a state from which a step can be taken. Collective, agreed. */
static Status set_up(Train *run, Resume **resume) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    const Ranks *ranks = &session->ranks;
    TRY(session_begin(session));
    TRY(comm_agree(ranks->comm, ranks->rank == 0 ? keeper_open(session, &run->keeper) : ST_OK));
    TRY(session_read(session));
    TRY(resume_choose(session, run->keeper, resume));
    TRY(resume_settle(*resume, session));
    TRY(comm_agree(ranks->comm, run->keeper ? known_choices(run, *resume) : ST_OK));
    TRY(comm_agree(ranks->comm, tracing_open(session)));
    TRY(session_plan(session, resume_path(*resume)));
    TRY(comm_agree(ranks->comm, stepper_open(session, &run->stepper)));
    announce(run);
    TRY(session_hint(session));
    TRY(comm_agree(ranks->comm, drift_open(&run->drift, session)));
    TRY(input_report(&session->input, ranks->comm));
    run->end_step = run_end(config, session->input.sampler.steps_per_epoch);
    TRY(comm_agree(ranks->comm, run->keeper ? keeper_reset(run->keeper) : ST_OK));
    TRY(resume_load(*resume, session, &run->state));
    TRY(comm_agree(ranks->comm, samples_open(&run->samples, session, &run->state)));
    run->resumed_from = resume_path(*resume) ? run->state.step : -1;
    run->loaded_hash = resume_state_hash(*resume);
    TRY(find_lasting(run, resume_path(*resume)));
    bool follows = run->keeper && resume_path(*resume);
    TRY(comm_agree(ranks->comm,
                   follows ? keeper_follow(run->keeper, resume_lineage(*resume)) : ST_OK));
    return settle_end(run, *resume);
}

/* A run that has nothing left to train. Its end may not stand in result.json: then all of it but
 * the training is done again. Collective. */
static Status end_again(Train *run) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    Comm *comm = session->ranks.comm;
    Keeper *keeper = run->keeper;
    int64_t lacks = keeper && !keeper_has_result(keeper, &run->state, run->loaded_hash);
    log_set_level(LOG_INFO);
    log_info("%s is finished: step %" PRId64 " of %" PRId64
             "; ask for more%s --epochs or --steps, or start over with --reset",
             config->out, run->state.step, run->end_step,
             !run->state.finished                             ? ""
             : selection_reaches(&run->state, config->target) ? " --target, not"
                                                              : " --eval.patience,");
    TRY(comm_sum_i64(comm, &lacks, 1));
    if (!lacks) {
        TRY(comm_agree(comm, keeper ? keeper_mend(keeper, &run->state) : ST_OK));
        if (keeper && config->report && !showcase_there(config->out))
            showcase(config->out);
        return ST_OK;
    }
    log_warn("%s/result.json or predictions.h5 is not of this end: the test set is evaluated "
             "again, and they are written",
             config->out);
    TRY(comm_agree(comm, keeper ? keeper_start(keeper, &run->state, run->end_step, run->libraries)
                                : ST_OK));
    journal_open(&run->journal, session, keeper, run->state.step, run->end_step);
    if (run->saved_lasts) /* it is what was loaded */
        run->saved_step = run->state.step;
    TRY(finish(run, false));
    if (keeper && config->report)
        showcase(config->out);
    return ST_OK;
}

/* Everything between an opened communicator and the exit code. Collective. */
static Status train_ranks(Train *run) {
    Session *session = &run->session;
    Comm *comm = session->ranks.comm;
    Keeper *keeper;
    Resume *resume = NULL;
    bool stopped;
    if (session->config->quiet) /* until the end of the run speaks */
        log_set_level(LOG_WARN);
    Status status = set_up(run, &resume);
    resume_free(resume);
    TRY(status);
    keeper = run->keeper;
    if (run->state.step >= run->end_step || run->state.finished)
        return end_again(run);
    TRY(comm_agree(comm, keeper ? keeper_start(keeper, &run->state, run->end_step, run->libraries)
                                : ST_OK));
    TRY(comm_agree(comm, stepper_load(run->stepper, run->state.step, run->end_step)));
    journal_open(&run->journal, session, keeper, run->state.step, run->end_step);
    run->tracing = tracing_plan(session, run->state.step, run->end_step);
    pacing_begin(&run->pacing, session, keeper, run->end_step);
    TRY(train_loop(run, &stopped));
    journal_close(&run->journal);
    TRY(finish(run, stopped));
    if (keeper)
        keeper_end_drawn(keeper);
    if (keeper && session->config->report && !stopped)
        showcase(session->config->out);
    return stopped ? ST_STOPPED : ST_OK;
}

/* Collective, agreed. */
static Status watch_out(Train *run) {
    Comm *comm = run->session.ranks.comm;
    return comm_agree(comm, standstill_start(comm, run->session.config->out, &run->standstill));
}

Status train(RunConfig *config, Status status, const char *libraries) {
    Train run = {.resumed_from = -1,
                 .tested_step = -1,
                 .saved_step = -1,
                 .target_s = NAN,
                 .pacing.started = clock_now(),
                 .libraries = libraries};
    run.session.config = config;
    signals_install();
    status = session_start(&run.session, status);
    if (status == ST_OK)
        status = watch_out(&run);
    if (status == ST_OK)
        status = train_ranks(&run);
    ranks_judge(&run.session.ranks, status);
    if (status != ST_STOPPED)
        standstill_failed(run.standstill, status);
    journal_close(&run.journal);
    stepper_close(run.stepper);
    drift_close(&run.drift);
    samples_close(&run.samples);
    keeper_close(run.keeper);
    free(run.state.history);
    eval_result_free(&run.test);
    standstill_stop(run.standstill);
    session_close(&run.session);
    return status;
}
