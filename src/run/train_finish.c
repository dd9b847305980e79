/* train_finish: see train_finish.h. */
#include "train_finish.h"

#include <math.h>

#include "lockstep/clock.h"
#include "summary.h"
#include "survive.h"
#include "train_eval.h"
#include "train_save.h"
#include "version.h"

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
    const CommLoss *losses;
    int64_t n_losses = comm_losses(session->ranks.comm, &losses);
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
                        .plan_s = session->plan_s,
                        .plans_made = session->planning.made,
                        .plans_taken = session->planning.taken,
                        .ranks = session->ranks.size,
                        .pace = run->stragglers.known > 0 ? run->stragglers.pace : NULL,
                        .losses = losses,
                        .n_losses = n_losses,
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

typedef struct End {
    bool stopped;
    bool again; /* it was tried before */
} End;

/* A section. Collective. */
static Status finish(Train *run, void *context) {
    End *end = context;
    Session *session = &run->session;
    Comm *comm = session->ranks.comm;
    PhaseTimes times;
    TRY(tracing_at(&run->tracing, session, run->keeper, run->state.step, true));
    if (end->again && session->config->tta != TTA_NONE) /* `test` may be with it */
        run->tested_step = -1;
    end->again = true;
    run->plain_accuracy = run->test.accuracy;
    run->plain_loss = run->test.loss;
    if (!end->stopped)
        TRY(train_evaluate_end(run));
    TRY(train_save(run, true));
    comm_at(comm, run->state.step, STAGE_FINISH);
    TRY(train_agree_on_disk(comm, run->keeper ? keeper_flush(run->keeper, &run->state) : ST_OK));
    TRY(train_check(run)); /* the result is of it as well */
    comm_at(comm, run->state.step, STAGE_FINISH);
    TRY(journal_times(&run->journal, &times));
    double wall = meter_wall(&run->journal.meter);
    Status status = ST_OK;
    if (run->keeper && !run->reported)
        status = write_result(run, end->stopped, &times, wall);
    run->reported = run->keeper && status == ST_OK;
    return comm_agree(comm, status);
}

Status train_finish(Train *run, bool stopped) {
    End end = {.stopped = stopped};
    return survive_section(run, finish, &end, true);
}
