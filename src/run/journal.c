/* journal: see journal.h. */
#include "journal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/exact_sum.h"
#include "lockstep/log.h"

static Progress *open_progress(const Session *session) {
    const RunConfig *config = session->config;
    bool bar = config->progress == PROGRESS_BAR ||
               (config->progress == PROGRESS_AUTO && !comm_launched() && isatty(STDOUT_FILENO));
    return progress_open(bar, config->progress_width, session->input.dataset.synthetic);
}

void journal_open(Journal *journal, const Session *session, Keeper *keeper, int64_t step,
                  int64_t end_step) {
    *journal = (Journal){.session = session, .keeper = keeper, .end_step = end_step};
    if (keeper && !session->config->quiet)
        journal->progress = open_progress(session);
    meter_begin(&journal->meter, step);
}

void journal_go_on(Journal *journal, Keeper *keeper) {
    journal->keeper = keeper;
    if (keeper && !journal->progress && !journal->session->config->quiet)
        journal->progress = open_progress(journal->session);
}

void journal_close(Journal *journal) {
    progress_close(journal->progress);
    journal->progress = NULL;
}

static void count(Journal *journal, RunState *state, const StepResult *step, double seconds) {
    state->step++;
    state->position++;
    state->log_loss += step->loss;
    state->log_correct += step->correct;
    state->log_images += step->images;
    state->epoch_loss += step->loss;
    state->epoch_correct += step->correct;
    state->epoch_images += step->images;
    meter_step(&journal->meter, step->images, seconds, &step->times);
}

/* NaN over no images: all steps were skipped. */
static double mean_loss(int64_t sum, int64_t images) {
    return images > 0 ? fixed_value(fixed_loss(), sum) / (double)images : NAN;
}

static double share(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : NAN;
}

double journal_epoch_loss(const RunState *state) {
    return mean_loss(state->epoch_loss, state->epoch_images);
}

double journal_epoch_accuracy(const RunState *state) {
    return share(state->epoch_correct, state->epoch_images);
}

/* Where the run is; loss, accuracy and pace are the caller's to add. */
static ProgressState progress_state(const Journal *journal, const RunState *state, double lr) {
    int64_t per_epoch = journal->session->input.sampler.steps_per_epoch;
    return (ProgressState){.step = state->step,
                           .end_step = journal->end_step,
                           .epoch = (state->step - 1) / per_epoch + 1,
                           .epochs = journal->session->config->epochs,
                           .epoch_step = (state->step - 1) % per_epoch + 1,
                           .steps_per_epoch = per_epoch,
                           .lr = lr,
                           .eta_s = meter_eta(&journal->meter, state->step, journal->end_step)};
}

static void show_step(const Journal *journal, const RunState *state, const StepResult *step) {
    ProgressState view = progress_state(journal, state, step->lr);
    view.loss = mean_loss(step->loss, step->images);
    view.accuracy = share(step->correct, step->images);
    view.images_per_s = spent_rate(&journal->meter.total);
    progress_step(journal->progress, &view);
}

static void show_line(const Journal *journal, const RunState *state, const TrainMetrics *metrics) {
    ProgressState view = progress_state(journal, state, metrics->lr);
    view.loss = metrics->loss;
    view.accuracy = metrics->accuracy;
    view.images_per_s = metrics->images_per_s;
    progress_line(journal->progress, &view);
}

/* The logged step: means since the last one. Collective. */
static Status log_step(Journal *journal, RunState *state, const StepResult *step) {
    const Session *session = journal->session;
    const Ranks *ranks = &session->ranks;
    const Spent *interval = &journal->meter.interval;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    TrainMetrics metrics = {.dataset = dataset_name(&session->input.dataset),
                            .step = state->step,
                            .epoch = share(state->step, session->input.sampler.steps_per_epoch),
                            .loss = mean_loss(state->log_loss, state->log_images),
                            .accuracy = share(state->log_correct, state->log_images),
                            .lr = step->lr,
                            .grad_norm = step->grad_norm,
                            .images = state->log_images,
                            .images_per_s = spent_rate(interval),
                            .times = interval->times,
                            .memory = (int64_t)usage.ru_maxrss * 1024,
                            .ranks = ranks->size,
                            .threads = ranks->threads,
                            .host = comm_host(ranks->comm)};
    TRY(comm_max_f64(ranks->comm, metrics.times.seconds, PHASES));
    if (journal->keeper)
        TRY(keeper_log_train(journal->keeper, &metrics));
    show_line(journal, state, &metrics);
    meter_next_interval(&journal->meter);
    state->log_loss = state->log_correct = state->log_images = 0;
    state->last_logged_step = state->step;
    return ST_OK;
}

Status journal_step(Journal *journal, RunState *state, const StepResult *step, double seconds) {
    count(journal, state, step, seconds);
    show_step(journal, state, step);
    if (journal->keeper)
        TRY(keeper_log_drawn(journal->keeper));
    return state->step % journal->session->config->log_every == 0 ? log_step(journal, state, step)
                                                                  : ST_OK;
}

Status journal_evaluation(Journal *journal, const RunState *state, const EvalSet *set,
                          const EvalResult *result, bool best, double seconds) {
    EvalMetrics metrics = {.dataset = dataset_name(&journal->session->input.dataset),
                           .step = state->step,
                           .epoch = state->epoch,
                           .split = set->name,
                           .loss = result->loss,
                           .accuracy = result->accuracy,
                           .train_loss = journal_epoch_loss(state),
                           .train_accuracy = journal_epoch_accuracy(state),
                           .images = result->images,
                           .wall_s = seconds,
                           .best = best};
    return journal->keeper ? keeper_log_eval(journal->keeper, &metrics) : ST_OK;
}

/* "; NAME loss 1.2345, accuracy 54.32 % (best)" */
static void add_set(char *line, size_t room, const char *name, const EvalResult *result,
                    bool best) {
    size_t used = strlen(line);
    if (result)
        snprintf(line + used, room - used, "; %s loss %.4f, accuracy %.2f %%%s", name, result->loss,
                 100 * result->accuracy, best ? " (best)" : "");
}

void journal_epoch(Journal *journal, const RunState *state, const EvalResult *test,
                   const EvalResult *held_out, bool best) {
    char line[512] = "", spent[64] = "";
    double evaluation, seconds = meter_next_epoch(&journal->meter, &evaluation);
    add_set(line, sizeof line, "held-out", held_out, best);
    add_set(line, sizeof line, "test", test, best && !held_out);
    if (test)
        snprintf(spent, sizeof spent, ", %.1f s of it evaluation", evaluation);
    log_info("epoch %" PRId64 ": train loss %.4f, accuracy %.2f %%%s; %.1f s%s%s", state->epoch,
             journal_epoch_loss(state), 100 * journal_epoch_accuracy(state), line, seconds, spent,
             journal->session->input.dataset.synthetic ? " [synthetic]" : "");
}

Status journal_times(Journal *journal, PhaseTimes *times) {
    meter_next_interval(&journal->meter);
    *times = journal->meter.total.times;
    return comm_max_f64(journal->session->ranks.comm, times->seconds, PHASES);
}
