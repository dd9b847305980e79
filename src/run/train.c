/* train: `lockstep train`, from the command line to the exit code.
 *
 * The loop reads like the data flow: a step (lanes, sums over ranks, optimizer), then what is due
 * after it: metrics, evaluation, checkpoint. Failures of one rank outside a step are agreed on, so
 * that all ranks unwind and exit with one code; a failure inside a step, or of MPI itself, ends in
 * comm_abort. */
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crash.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/run.h"
#include "setup.h"
#include "signals.h"

void close_interval(Run *run) {
    double *total = &run->total.data;
    const double *interval = &run->interval.data;
    for (size_t i = 0; i < sizeof run->total / sizeof *total; i++)
        total[i] += interval[i];
    run->interval = (PhaseTimes){0};
    run->interval_s = 0;
    run->interval_images = 0;
}

static void account(Run *run, const StepTotals *totals, double seconds) {
    RunState *state = &run->state;
    state->step++;
    state->position++;
    state->log_loss += totals->loss;
    state->log_correct += totals->correct;
    state->log_images += totals->images;
    state->epoch_loss += totals->loss;
    state->epoch_correct += totals->correct;
    state->epoch_images += totals->images;
    run->interval_s += seconds;
    run->train_s += seconds;
    run->interval_images += totals->images;
    run->total_images += totals->images;
}

static double mean_loss(int64_t sum, int64_t images) {
    return fixed_value(fixed_loss(), sum) / (double)images;
}

static void show_progress(Run *run, const StepTotals *totals, bool line) {
    const RunState *state = &run->state;
    int64_t done = state->step - run->first_step;
    ProgressState view = {.step = state->step,
                          .end_step = run->end_step,
                          .epoch = (state->step - 1) / run->input.sampler.steps_per_epoch + 1,
                          .epochs = run->config->epochs,
                          .epoch_step = (state->step - 1) % run->input.sampler.steps_per_epoch + 1,
                          .steps_per_epoch = run->input.sampler.steps_per_epoch,
                          .loss = mean_loss(totals->loss, totals->images),
                          .accuracy = (double)totals->correct / (double)totals->images,
                          .lr = totals->lr,
                          .images_per_s = (double)run->total_images / run->train_s,
                          .eta_s = (clock_now() - run->begin_s) / (double)done *
                                   (double)(run->end_step - state->step)};
    if (line) {
        view.loss = mean_loss(state->log_loss, state->log_images);
        view.accuracy = (double)state->log_correct / (double)state->log_images;
        view.images_per_s = (double)run->interval_images / run->interval_s;
        progress_line(run->progress, &view);
    } else {
        progress_step(run->progress, &view);
    }
}

/* The logged step: means since the last one. Collective. */
static Status log_step(Run *run, const StepTotals *totals) {
    RunState *state = &run->state;
    struct rusage usage;
    TrainMetrics metrics = {.dataset = dataset_name(&run->input.dataset),
                            .step = state->step,
                            .epoch =
                                (double)state->step / (double)run->input.sampler.steps_per_epoch,
                            .loss = mean_loss(state->log_loss, state->log_images),
                            .accuracy = (double)state->log_correct / (double)state->log_images,
                            .lr = totals->lr,
                            .grad_norm = totals->grad_norm,
                            .images = state->log_images,
                            .images_per_s = (double)run->interval_images / run->interval_s,
                            .times = run->interval,
                            .ranks = run->size,
                            .threads = run->threads,
                            .host = comm_host(run->comm)};
    TRY(comm_max_f64(run->comm, &metrics.times.data,
                     (int64_t)(sizeof metrics.times / sizeof(double))));
    if (run->rank == 0) {
        getrusage(RUSAGE_SELF, &usage);
        metrics.memory = (int64_t)usage.ru_maxrss * 1024;
        TRY(metrics_train(&run->dir, &metrics));
        show_progress(run, totals, true);
    }
    close_interval(run);
    state->log_loss = state->log_correct = state->log_images = 0;
    state->last_logged_step = state->step;
    return ST_OK;
}

/* Evaluates one set and writes its metrics. Collective. */
static Status evaluate_set(Run *run, const EvalSet *set, bool selects, EvalResult *result,
                           bool *is_best) {
    RunState *state = &run->state;
    double start = clock_now();
    TRY(evaluate(&run->engine, run->comm, set, &run->config->augment, result));
    if (selects) {
        *is_best = state->best_step < 0 || result->accuracy > state->best_accuracy;
        state->without_better = *is_best ? 0 : state->without_better + 1;
        if (*is_best) {
            state->best_accuracy = result->accuracy;
            state->best_loss = result->loss;
            state->best_step = state->step;
        }
    }
    if (run->rank != 0)
        return ST_OK;
    EvalMetrics metrics = {.dataset = dataset_name(&run->input.dataset),
                           .step = state->step,
                           .epoch = state->epoch,
                           .split = set->name,
                           .loss = result->loss,
                           .accuracy = result->accuracy,
                           .train_loss = mean_loss(state->epoch_loss, state->epoch_images),
                           .train_accuracy =
                               (double)state->epoch_correct / (double)state->epoch_images,
                           .images = result->images,
                           .wall_s = clock_now() - start,
                           .best = selects && *is_best};
    return metrics_eval(&run->dir, &metrics);
}

static Status evaluate_epoch(Run *run, bool *is_best) {
    RunState *state = &run->state;
    bool honest = run->config->holdout > 0;
    comm_at(run->comm, state->step, STAGE_EVALUATE);
    if (honest) {
        EvalResult held = {0};
        Status status = evaluate_set(run, &run->input.held, true, &held, is_best);
        eval_result_free(&held);
        TRY(status);
    }
    TRY(evaluate_set(run, &run->input.test, !honest, &run->test, is_best));
    run->tested_step = state->step;
    HistoryEntry entry = {.epoch = state->epoch,
                          .step = state->step,
                          .train_loss = mean_loss(state->epoch_loss, state->epoch_images),
                          .train_accuracy =
                              (double)state->epoch_correct / (double)state->epoch_images,
                          .test_loss = run->test.loss,
                          .test_accuracy = run->test.accuracy};
    TRY(history_add(run, &entry));
    log_info("epoch %" PRId64 ": train loss %.4f, accuracy %.2f %%; test loss %.4f, accuracy "
             "%.2f %%%s%s",
             state->epoch, entry.train_loss, 100 * entry.train_accuracy, entry.test_loss,
             100 * entry.test_accuracy, *is_best ? " (best)" : "",
             run->input.dataset.synthetic ? " [synthetic]" : "");
    if (run->config->patience > 0 && state->without_better >= run->config->patience) {
        log_info("no better accuracy in %" PRId64 " evaluations: the run ends early",
                 state->without_better);
        state->finished = true;
    }
    return ST_OK;
}

/* What is due once a step is done. Collective. */
static Status after_step(Run *run, const StepTotals *totals) {
    const RunConfig *config = run->config;
    RunState *state = &run->state;
    bool is_best = false;
    bool epoch_ends = state->position == run->input.sampler.steps_per_epoch;
    if (run->rank == 0)
        show_progress(run, totals, false);
    if (state->step % config->log_every == 0)
        TRY(log_step(run, totals));
    if (epoch_ends) {
        state->epoch++;
        state->position = 0;
        if (state->epoch % config->eval_every == 0)
            TRY(evaluate_epoch(run, &is_best));
        state->epoch_loss = state->epoch_correct = state->epoch_images = 0;
    }
    if (epoch_ends || (config->checkpoint_every > 0 && state->step % config->checkpoint_every == 0))
        TRY(checkpoint_now(run, epoch_ends, is_best));
    return ST_OK;
}

/* A step whose sum is not finite: the ranks where it is not agree on it. Collective. */
static Status diverged(Run *run, const StepTotals *totals) {
    Status mine = ST_OK;
    if (totals->local_bad > 0)
        mine = FAIL(ST_DIVERGED,
                    "diverged: %" PRId64 " losses, gradients or statistics of lanes %" PRId64
                    "-%" PRId64 " are NaN or out of range (lr %g); lower the learning rate or clip "
                    "gradients, the last checkpoint is untouched",
                    totals->local_bad, run->input.first_lane,
                    run->input.first_lane + run->input.lane_count - 1,
                    schedule_lr(&run->config->schedule, run->state.step,
                                run->input.sampler.steps_per_epoch));
    return comm_agree(run->comm, mine);
}

static Status train_loop(Run *run, bool *stopped) {
    run->begin_s = clock_now();
    run->first_step = run->state.step;
    *stopped = false;
    while (run->state.step < run->end_step && !run->state.finished && !*stopped) {
        StepTotals totals = {.stop = signals_stop_requested()};
        double start = clock_now();
        bool nan = crash_due(&run->config->crash, run->config->out, run->state.step, run->comm);
        if (run->rank == 0 && writer_failed(run->writer) != ST_OK) {
            totals.error = 1;
            status_clear();
        }
        TRY(step_run(run, nan, &totals));
        if (totals.bad > 0)
            return diverged(run, &totals);
        if (totals.error > 0)
            return comm_agree(run->comm, run->rank == 0 ? writer_failed(run->writer) : ST_OK);
        account(run, &totals, clock_now() - start);
        TRY(after_step(run, &totals));
        *stopped = totals.stop > 0 && run->state.step < run->end_step;
    }
    if (*stopped)
        log_info("asked to stop: writing a checkpoint after step %" PRId64, run->state.step);
    return ST_OK;
}

static void open_progress(Run *run) {
    const RunConfig *config = run->config;
    bool bar = config->progress == PROGRESS_BAR ||
               (config->progress == PROGRESS_AUTO && !comm_launched() && isatty(STDOUT_FILENO));
    if (run->rank == 0 && !config->quiet)
        run->progress = progress_open(bar, config->progress_width, run->input.dataset.synthetic);
}

/* Everything between an opened communicator and the exit code. Collective. */
static Status train_ranks(Run *run) {
    bool stopped;
    if (run->config->quiet) /* until the end of the run speaks */
        log_set_level(LOG_WARN);
    TRY(setup_run(run));
    TRY(resume_or_begin(run));
    if (run->state.step >= run->end_step || run->state.finished) {
        log_set_level(LOG_INFO);
        log_info("%s is finished: step %" PRId64 " of %" PRId64
                 "; ask for more --epochs or --steps, or start over with --reset",
                 run->config->out, run->state.step, run->end_step);
        return ST_OK;
    }
    TRY(setup_outputs(run));
    TRY(comm_agree(run->comm, start_loader(run)));
    open_progress(run);
    TRY(train_loop(run, &stopped));
    progress_close(run->progress);
    run->progress = NULL;
    TRY(finish_run(run, stopped));
    return stopped ? ST_STOPPED : ST_OK;
}

/* The model for the data set that --data names; without, as it would be for CIFAR-10. */
static Status describe(const RunConfig *config) {
    Dataset dataset;
    Model model;
    dataset_cifar10(&dataset);
    if (config->data[0])
        TRY(dataset_open(config->data, config->seed, &dataset));
    TRY(parse_model(config, &dataset, &model));
    model_describe(&model, config->lanes > 0 ? config->batch_size / config->lanes : 1, stdout);
    if (!config->data[0])
        printf("Assumed, as no data is named: images of %" PRId64 " x %" PRId64 " x %" PRId64
               " and %" PRId64 " classes.\n",
               model.image.c, model.image.h, model.image.w, model.classes);
    model_free(&model);
    return ST_OK;
}

/* Prints and exits, without MPI: --help, --dump-config, --describe. */
static Status print_only(const RunConfig *config) {
    if (config->help) {
        config_help(stdout);
        return ST_OK;
    }
    if (config->dump_config)
        return config_dump(config, stdout);
    return describe(config);
}

Status train_command(int argc, char **argv) {
    Run run = {.resumed_from = -1, .tested_step = -1, .saved_step = -1};
    Status status;
    run.dir.lock_fd = run.dir.log_fd = run.dir.metrics_fd = -1;
    run.config = calloc(1, sizeof *run.config);
    TRY_ALLOC(run.config);
    status = config_load(argc - 1, argv + 1, run.config);
    if (status == ST_OK && (run.config->help || run.config->dump_config || run.config->describe)) {
        status = print_only(run.config);
        if (status != ST_OK)
            log_fatal(-1, status_message());
        free(run.config);
        return status;
    }
    signals_install();
    status = start_ranks(&run, status);
    if (status == ST_OK)
        status = train_ranks(&run);
    return end_run(&run, status);
}
